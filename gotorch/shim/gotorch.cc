// The interface of gotorch.h over libtorch 1.13 … 2.x.
//
// Operators are not wrapped one by one. libtorch's dispatcher knows each by its
// schema, checks the arguments against it and fills in defaults; gt_call is all
// there is between it and Go.

#include "gotorch.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>
#include <torch/version.h>

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 14)
#include <c10/core/CachingDeviceAllocator.h>
#define GT_DEVICE_STATISTICS  // without CUDA's headers
#endif

#if TORCH_VERSION_MAJOR < 1 || (TORCH_VERSION_MAJOR == 1 && TORCH_VERSION_MINOR < 13)
#error "gotorch needs libtorch 1.13 or later; this is older"
#endif

namespace {

std::atomic<int64_t> live_handles{0};

struct Counted {
  Counted() { ++live_handles; }
  Counted(const Counted &) : Counted() {}
  ~Counted() { --live_handles; }
};

// libtorch keeps the number of threads per calling thread, but goroutines move
// between threads: the number asked for is applied wherever a call arrives.
std::atomic<int> wanted_threads{0};

void prepare_thread() {
  thread_local int applied = 0;
  const int wanted = wanted_threads.load(std::memory_order_relaxed);
  if (wanted != applied) {
    at::set_num_threads(wanted);
    applied = wanted;
  }
}

// out_of_memory stands for a message for which there is none.
char out_of_memory[] = "out of memory";

// After some errors a GPU refuses everything from its process. libtorch then cannot
// take back what it shares with it, and ends the process at the attempt: nothing is
// freed any more, so that the error reaches the caller.
std::atomic<bool> lost_gpu{false};

void look_after_gpu(const char *error) {
  if (lost_gpu || (std::strstr(error, "CUDA error") == nullptr && std::strstr(error, "cuDNN error") == nullptr)) return;
  try {
    at::zeros({1}, at::kCUDA).item();
  } catch (...) {
    lost_gpu = true;
  }
}

// message keeps the first line: the rest is a C++ stack trace. It is for
// gt_free_message to free.
char *message(const char *what) {
  look_after_gpu(what);
  const size_t n = std::strcspn(what, "\n");
  char *copy = static_cast<char *>(std::malloc(n + 1));
  if (copy == nullptr) return out_of_memory;
  std::memcpy(copy, what, n);
  copy[n] = 0;
  return copy;
}

}  // namespace

struct gt_tensor : Counted {
  explicit gt_tensor(at::Tensor t) : t(std::move(t)) {}

  // arrived returns the tensor once its values are there.
  const at::Tensor &arrived() const {
    while (arrival && !arrival->query()) std::this_thread::sleep_for(std::chrono::microseconds(20));
    return t;
  }

  at::Tensor t;
  std::shared_ptr<c10::Event> arrival;  // of values that a device still copies; mostly none
};

struct gt_generator : Counted {
  explicit gt_generator(at::Generator g) : g(std::move(g)) {}
  at::Generator g;
};

struct gt_op {
  c10::OperatorHandle handle;
};

// GUARDED runs the body of an entry point; it is the one place where exceptions
// end.
#define GUARDED(...)                                  \
  try {                                               \
    prepare_thread();                                 \
    __VA_ARGS__                                       \
    return nullptr;                                   \
  } catch (const c10::Error &e) {                     \
    return message(e.what_without_backtrace());       \
  } catch (const std::exception &e) {                 \
    return message(e.what());                         \
  } catch (...) {                                     \
    return message("an exception of unknown type");   \
  }

namespace {

c10::Device device(int64_t type, int64_t index) {
  return c10::Device(static_cast<c10::DeviceType>(type), static_cast<c10::DeviceIndex>(index));
}

std::vector<at::Tensor> tensors(gt_tensor *const *handles, size_t n) {
  std::vector<at::Tensor> list;
  list.reserve(n);
  for (size_t i = 0; i < n; i++) list.push_back(handles[i] ? handles[i]->arrived() : at::Tensor());
  return list;
}

struct Arguments {
  void *const *handles;
  const int64_t *ints;
  const char *text;

  c10::IValue value(const gt_arg &arg) const {
    switch (static_cast<gt_kind>(arg.kind)) {
      case GT_NONE: return {};
      case GT_BOOL: return arg.a != 0;
      case GT_INT: return arg.a;
      case GT_FLOAT: return arg.d;
      case GT_STRING: return std::string(text + arg.a, arg.b);
      case GT_DEVICE: return device(arg.a, arg.b);
      case GT_TENSOR: return static_cast<gt_tensor *>(handles[arg.a])->arrived();
      case GT_GENERATOR: return static_cast<gt_generator *>(handles[arg.a])->g;
      case GT_INTS: return std::vector<int64_t>(ints + arg.a, ints + arg.a + arg.b);
      case GT_TENSORS: return tensors(reinterpret_cast<gt_tensor *const *>(handles) + arg.a, arg.b);
    }
    TORCH_CHECK(false, "argument of unknown kind ", arg.kind);
  }
};

// flatten lists the tensors that an operator left on the stack.
std::vector<at::Tensor> flatten(const std::vector<c10::IValue> &stack) {
  std::vector<at::Tensor> list;
  for (const c10::IValue &v : stack) {
    if (v.isTensor()) {
      list.push_back(v.toTensor());
    } else if (v.isTensorList()) {
      for (const at::Tensor &t : v.toTensorVector()) list.push_back(t);
    } else {
      TORCH_CHECK(false, "returns ", v.tagKind(), ", which is no tensor");
    }
  }
  return list;
}

void give(const std::vector<at::Tensor> &list, gt_tensor **outs) {
  for (size_t i = 0; i < list.size(); i++) outs[i] = new gt_tensor(list[i]);
}

}  // namespace

void gt_free_message(char *message) {
  if (message != out_of_memory) std::free(message);
}

char *gt_find_op(const char *name, const char *overload, gt_op **op) {
  GUARDED({
    auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
    TORCH_CHECK(handle.has_value(), "libtorch " TORCH_VERSION " has no such operator");
    *op = new gt_op{*handle};
  })
}

char *gt_call(const gt_op *op, int grad, const gt_arg *args, size_t nargs, void *const *handles,
              const int64_t *ints, const char *text, gt_tensor **outs, size_t nouts) {
  GUARDED({
    const Arguments arguments{handles, ints, text};
    std::vector<c10::IValue> stack;
    stack.reserve(op->handle.schema().arguments().size());
    for (size_t i = 0; i < nargs; i++) stack.push_back(arguments.value(args[i]));
    op->handle.schema().checkAndNormalizeInputs(stack, {});
    const c10::AutoGradMode mode(grad != 0);
    op->handle.callBoxed(stack);
    if (nouts == 0) return nullptr;
    const auto results = flatten(stack);
    TORCH_CHECK(results.size() == nouts, "returns ", results.size(), " tensors, not ", nouts);
    give(results, outs);
  })
}

char *gt_grad(gt_tensor *const *outputs, gt_tensor *const *seeds, size_t noutputs, gt_tensor *const *inputs,
              size_t ninputs, int retain_graph, int create_graph, int allow_unused, gt_tensor **grads) {
  GUARDED({
    const auto results = torch::autograd::grad(tensors(outputs, noutputs), tensors(inputs, ninputs),
                                               tensors(seeds, noutputs), retain_graph != 0, create_graph != 0,
                                               allow_unused != 0);
    for (size_t i = 0; i < ninputs; i++) grads[i] = results[i].defined() ? new gt_tensor(results[i]) : nullptr;
  })
}

char *gt_from_data(const void *data, size_t bytes, int dtype, const int64_t *shape, size_t dims, gt_tensor **out) {
  GUARDED({
    const at::Tensor t = at::empty(at::IntArrayRef(shape, dims), static_cast<at::ScalarType>(dtype));
    TORCH_CHECK(t.nbytes() == bytes, "shape ", t.sizes(), " takes ", t.nbytes(), " bytes, not ", bytes);
    if (bytes > 0) std::memcpy(t.data_ptr(), data, bytes);
    *out = new gt_tensor(t);
  })
}

char *gt_to_data(const gt_tensor *t, void *data, size_t bytes) {
  GUARDED({
    const c10::AutoGradMode mode(false);
    const at::Tensor dense = t->arrived().to(at::kCPU).contiguous();
    TORCH_CHECK(dense.nbytes() == bytes, "shape ", dense.sizes(), " takes ", dense.nbytes(), " bytes, not ", bytes);
    if (bytes > 0) std::memcpy(data, dense.data_ptr(), bytes);
  })
}

// An event without CUDA's headers, recorded after the copy in the stream that
// does it.
char *gt_fetch(const gt_tensor *t, gt_tensor **out) {
  GUARDED({
    const c10::AutoGradMode mode(false);
    const at::Tensor &from = t->arrived();
    auto copy = std::make_unique<gt_tensor>(from.detach().to(at::kCPU, /*non_blocking=*/true));
    if (!from.is_cpu()) {
      copy->arrival = std::make_shared<c10::Event>(from.device().type());
      copy->arrival->record(c10::impl::VirtualGuardImpl(from.device().type()).getStream(from.device()));
    }
    *out = copy.release();
  })
}

char *gt_item(const gt_tensor *t, double *value) {
  GUARDED({ *value = t->arrived().item().toDouble(); })
}

char *gt_info(const gt_tensor *t, gt_tensor_info *info, int64_t *shape, size_t *dims) {
  GUARDED({
    TORCH_CHECK(t->t.defined(), "the tensor is undefined");
    info->numel = t->t.numel();
    info->dtype = static_cast<int32_t>(t->t.scalar_type());
    info->device = static_cast<int32_t>(t->t.device().type());
    info->device_index = t->t.device().index();
    info->requires_grad = t->t.requires_grad();
    info->contiguous = t->t.is_contiguous();
    info->channels_last = t->t.is_contiguous(at::MemoryFormat::ChannelsLast);
    const auto sizes = t->t.sizes();
    for (size_t i = 0; i < sizes.size() && i < *dims; i++) shape[i] = sizes[i];
    *dims = sizes.size();
  })
}

char *gt_set_requires_grad(gt_tensor *t, int requires_grad) {
  GUARDED({ t->t.set_requires_grad(requires_grad != 0); })
}

char *gt_alias(const gt_tensor *t, gt_tensor **out) {
  GUARDED({ *out = new gt_tensor(*t); })
}

void gt_free_tensors(gt_tensor *const *list, size_t n) {
  for (size_t i = 0; i < n && !lost_gpu; i++) delete list[i];
}

char *gt_new_generator(int type, int index, uint64_t seed, gt_generator **out) {
  GUARDED({
    // A clone of the device's default generator needs no CUDA header.
    at::Generator g = at::globalContext().defaultGenerator(device(type, index)).clone();
    g.set_current_seed(seed);
    *out = new gt_generator(g);
  })
}

char *gt_default_generator(int type, int index, gt_generator **out) {
  GUARDED({ *out = new gt_generator(at::globalContext().defaultGenerator(device(type, index))); })
}

char *gt_generator_seed(gt_generator *g, uint64_t seed) {
  GUARDED({
    const std::lock_guard<std::mutex> lock(g->g.mutex());
    g->g.set_current_seed(seed);
  })
}

char *gt_generator_state(gt_generator *g, gt_tensor **out) {
  GUARDED({
    const std::lock_guard<std::mutex> lock(g->g.mutex());
    *out = new gt_tensor(g->g.get_state());
  })
}

char *gt_generator_set_state(gt_generator *g, const gt_tensor *state) {
  GUARDED({
    const std::lock_guard<std::mutex> lock(g->g.mutex());
    g->g.set_state(state->arrived());
  })
}

void gt_free_generators(gt_generator *const *list, size_t n) {
  for (size_t i = 0; i < n; i++) delete list[i];
}

int64_t gt_live_handles(void) { return live_handles.load(); }

// For TF32 only this pair of setters and their getters are used: libtorch 2.9
// brought others and forbids to mix them.
char *gt_set_flag(int flag, int on) {
  GUARDED({
    at::Context &context = at::globalContext();
    switch (static_cast<gt_flag>(flag)) {
      case GT_BENCHMARK_CUDNN: context.setBenchmarkCuDNN(on != 0); return nullptr;
      case GT_TF32_CUDNN: context.setAllowTF32CuDNN(on != 0); return nullptr;
      case GT_TF32_CUBLAS: context.setAllowTF32CuBLAS(on != 0); return nullptr;
      case GT_DETERMINISTIC:
        context.setDeterministicCuDNN(on != 0);
        context.setDeterministicAlgorithms(on != 0, /*warn_only=*/true);
        return nullptr;
    }
    TORCH_CHECK(false, "there is no flag ", flag);
  })
}

char *gt_flag_is_on(int flag, int *on) {
  GUARDED({
    const at::Context &context = at::globalContext();
    switch (static_cast<gt_flag>(flag)) {
      case GT_BENCHMARK_CUDNN: *on = context.benchmarkCuDNN(); return nullptr;
      case GT_TF32_CUDNN: *on = context.allowTF32CuDNN(); return nullptr;
      case GT_TF32_CUBLAS: *on = context.allowTF32CuBLAS(); return nullptr;
      case GT_DETERMINISTIC: *on = context.deterministicCuDNN() && context.deterministicAlgorithms(); return nullptr;
    }
    TORCH_CHECK(false, "there is no flag ", flag);
  })
}

char *gt_manual_seed(uint64_t seed) {
  GUARDED({ at::manual_seed(seed); })
}

char *gt_set_num_threads(int n) {
  GUARDED({
    TORCH_CHECK(n > 0, "want at least 1 thread, got ", n);
    wanted_threads.store(n);
    prepare_thread();
  })
}

char *gt_num_threads(int *n) {
  GUARDED({ *n = at::get_num_threads(); })
}

size_t gt_cpu_peak();  // of allocator.cc

char *gt_peak_memory(int type, int index, int64_t *bytes) {
  GUARDED({
    const c10::Device d = device(type, index);
    if (d.is_cpu()) {
      *bytes = gt_cpu_peak();
      return nullptr;
    }
#ifdef GT_DEVICE_STATISTICS
    c10::DeviceAllocator *allocator = at::getDeviceAllocator(d.type());
    *bytes = allocator->getDeviceStats(d.index()).allocated_bytes[0].peak;  // of all pools together
    allocator->resetPeakStats(d.index());
#else
    *bytes = -1;
#endif
  })
}

char *gt_build(gt_build_info *info) {
  GUARDED({
    std::strncpy(info->torch, TORCH_VERSION, sizeof info->torch - 1);
    info->cuda = at::globalContext().hasCUDART();
    info->gpus = static_cast<int32_t>(torch::cuda::device_count());
    info->onednn = at::hasMKLDNN();
  })
}

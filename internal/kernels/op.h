// What all operators have in common.
#pragma once

#include <cstdlib>
#include <vector>

#include "ort.h"

namespace kernels {

struct Tensor {
  float *data = nullptr;  // null for an operand that was left out
  int64_t dims[8] = {};
  size_t rank = 0;

  int64_t count() const {
    int64_t n = 1;
    for (size_t i = 0; i < rank; i++) n *= dims[i];
    return n;
  }
};

inline Tensor input(const ort::Context *context, size_t i) {
  Tensor t;
  const ort::Value *v = nullptr;
  if (ort::call<ort::kKernelContextGetInput>(context, i, &v) != nullptr || v == nullptr) return t;
  ort::Shape *shape = nullptr;
  ort::call<ort::kGetTensorMutableData>(v, &t.data);
  ort::call<ort::kGetTensorTypeAndShape>(v, &shape);
  ort::call<ort::kGetDimensionsCount>(shape, &t.rank);
  ort::call<ort::kGetDimensions>(shape, &t.dims[0], t.rank);
  ort::call<ort::kReleaseTensorTypeAndShapeInfo, void>(shape);
  return t;
}

inline float *output(ort::Context *context, size_t i, const int64_t *dims, size_t rank) {
  ort::Value *v = nullptr;
  float *data = nullptr;
  ort::call<ort::kKernelContextGetOutput>(context, i, dims, rank, &v);
  ort::call<ort::kGetTensorMutableData>(v, &data);
  return data;
}

// parallel calls f(0) to f(n-1) on the session's threads.
template <typename F>
ort::Status *parallel(const ort::Context *context, size_t n, const F &f) {
  const auto call = [](void *data, size_t i) { (*static_cast<const F *>(data))(i); };
  return ort::call<ort::kKernelContextParallelFor>(context, static_cast<void (*)(void *, size_t)>(call), n, size_t{0},
                                                   const_cast<void *>(static_cast<const void *>(&f)));
}

// Allocator is a session's.
class Allocator {
 public:
  explicit Allocator(const ort::Info *info) { ort::call<ort::kKernelInfoGetAllocator>(info, 0, &allocator); }
  ~Allocator() { ort::call<ort::kReleaseAllocator, void>(allocator); }
  Allocator(const Allocator &) = delete;

  ort::Allocator *get() const { return allocator; }

 private:
  ort::Allocator *allocator = nullptr;
};

// Room is memory for n numbers, as long as the object.
struct Room {
  Room(ort::Allocator *allocator, int64_t n) : allocator(allocator) {
    if (ort::call<ort::kAllocatorAlloc>(allocator, n * sizeof(float), &data) != nullptr) std::abort();  // as new would
  }
  ~Room() { ort::call<ort::kAllocatorFree>(allocator, data); }
  Room(const Room &) = delete;

  float *data = nullptr;
  ort::Allocator *allocator;
};

// worked frees what a call says of what was wrong.
inline bool worked(ort::Status *status) {
  if (status != nullptr) ort::call<ort::kReleaseStatus, void>(status);
  return status == nullptr;
}

// Attributes that are not there are 0, or empty.
inline int64_t attribute(const ort::Info *info, const char *name) {
  int64_t v = 0;
  worked(ort::call<ort::kKernelInfoGetAttributeInt64>(info, name, &v));
  return v;
}

inline std::vector<int64_t> integers(const ort::Info *info, const char *name) {
  size_t n = 0;
  if (!worked(ort::call<ort::kKernelInfoGetAttributeArrayInt64>(info, name, static_cast<int64_t *>(nullptr), &n))) return {};
  std::vector<int64_t> v(n);
  ort::call<ort::kKernelInfoGetAttributeArrayInt64>(info, name, v.data(), &n);
  return v;
}

inline std::vector<float> numbers(const ort::Info *info, const char *name) {
  size_t n = 0;
  if (!worked(ort::call<ort::kKernelInfoGetAttributeArrayFloat>(info, name, static_cast<float *>(nullptr), &n))) return {};
  std::vector<float> v(n);
  ort::call<ort::kKernelInfoGetAttributeArrayFloat>(info, name, v.data(), &n);
  return v;
}

// outputs_of is how many outputs there may be: what K says, or one.
template <typename K>
constexpr size_t outputs_of() {
  if constexpr (requires { K::outputs; }) {
    return K::outputs;
  } else {
    return 1;
  }
}

// op is the operator that a kernel K is for. K says name, inputs, of which so many are required, inplace:
// the input that the output may be written over, or -1, and outputs, of which one is required. It has a constructor of
// the node's ort::Info, and compute.
template <typename K>
const ort::CustomOp op = {
    ort::kVersion,
    nullptr,
    [](const ort::CustomOp *) { return K::name; },
    [](const ort::CustomOp *) -> const char * { return nullptr; },  // the CPU's
    [](const ort::CustomOp *, size_t) { return ort::kFloat; },
    [](const ort::CustomOp *) { return size_t{K::inputs}; },
    [](const ort::CustomOp *, size_t) { return ort::kFloat; },
    [](const ort::CustomOp *) { return outputs_of<K>(); },
    nullptr,
    [](void *kernel) { delete static_cast<K *>(kernel); },
    [](const ort::CustomOp *, size_t i) { return int{i >= K::required}; },
    [](const ort::CustomOp *, size_t i) { return int{i > 0}; },
    [](const ort::CustomOp *, size_t) { return 0; },
    {},
    [](const ort::CustomOp *, const void *const *, const ort::Info *info, void **kernel) -> ort::Status * {
      *kernel = new K(info);
      return nullptr;
    },
    [](void *kernel, ort::Context *context) { return static_cast<const K *>(kernel)->compute(context); },
    nullptr,
    [](const ort::CustomOp *) { return 1; },
    [](const ort::CustomOp *) { return 1; },
    [](int **inputs, int **outputs) -> size_t {
      if (K::inplace < 0) return 0;
      *inputs = new int[1]{K::inplace};
      *outputs = new int[1]{0};
      return 1;
    },
    [](int *inputs, int *outputs) {
      delete[] inputs;
      delete[] outputs;
    },
    [](int **, int **) { return size_t{0}; },
    [](int *, int *) {},
};

// Instruction sets. KERNELS_SIMD compiles a function once for each, of which the loader takes the best that
// the processor has: those with AVX2 and AVX-512 multiply and add in one instruction (but not every compiler can say so). KERNELS_EACH stands before a loop whose iterations do not depend on each other, though what they
// write may lie where they read.
#if defined(__x86_64__) && !defined(__clang__) && __GNUC__ >= 12
#define KERNELS_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif defined(__x86_64__)
#define KERNELS_SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define KERNELS_SIMD
#endif
#define KERNELS_INLINE __attribute__((always_inline)) inline
#if defined(__clang__)
#define KERNELS_EACH _Pragma("clang loop vectorize(assume_safety)")
#else
#define KERNELS_EACH _Pragma("GCC ivdep")
#endif

// Lanes has a vector of so many channels that are side by side, wherever it lies. As an argument of a template the vector
// itself would be taken for one that is aligned.
template <int kLanes>
struct Lanes;
template <>
struct Lanes<16> {
  typedef float vec __attribute__((vector_size(64), aligned(4)));
};
template <>
struct Lanes<8> {
  typedef float vec __attribute__((vector_size(32), aligned(4)));
};

// The operators, each in a file of its own.
extern const ort::CustomOp *const winograd_op;
extern const ort::CustomOp *const elementwise_op;
extern const ort::CustomOp *const max_pool_gradient_op;
extern const ort::CustomOp *const interleave_op;
extern const ort::CustomOp *const interleave_plain_op;
extern const ort::CustomOp *const depthwise_gradient_op;
extern const ort::CustomOp *const channels_op;

}  // namespace kernels

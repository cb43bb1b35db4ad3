#include "register.h"

#include <initializer_list>

#include "op.h"

namespace ort {
const Function *api;
}

// kernels_register has sessions with the given options know the operators. It fails, with 0, if the library has no API of
// kVersion.
int kernels_register(void *base, void *options) {
  static ort::Domain *const domain = [&]() -> ort::Domain * {
    ort::api = static_cast<const ort::Base *>(base)->api(ort::kVersion);
    if (ort::api == nullptr) return nullptr;
    ort::Domain *d = nullptr;
    ort::call<ort::kCreateCustomOpDomain>("ascood", &d);
    for (const ort::CustomOp *op : {kernels::winograd_op, kernels::elementwise_op, kernels::max_pool_gradient_op, kernels::interleave_op,
                                     kernels::interleave_plain_op, kernels::depthwise_gradient_op, kernels::channels_op}) {
      ort::call<ort::kCustomOpDomainAdd>(d, op);
    }
    return d;
  }();
  if (domain == nullptr) return 0;
  ort::call<ort::kAddCustomOpDomain>(static_cast<ort::Options *>(options), domain);
  return 1;
}

// kernels_share has sessions with the given options take an initializer's data from where it is, and returns the value that
// must be there as long as such a session; or null. If it is constant, ONNX Runtime may compute with it as it optimizes the graph.
void *kernels_share(void *options, const char *name, void *data, size_t bytes, const int64_t *dims, size_t rank, int type, int constant) {
  ort::Memory *memory = nullptr;
  ort::Value *value = nullptr;
  if (ort::call<ort::kCreateCpuMemoryInfo>(0, 0, &memory) != nullptr) return nullptr;
  ort::Status *s = ort::call<ort::kCreateTensorWithData>(memory, data, bytes, dims, rank, type, &value);
  ort::call<ort::kReleaseMemoryInfo, void>(memory);
  ort::Options *to = static_cast<ort::Options *>(options);
  if (s == nullptr) s = constant ? ort::call<ort::kAddExternalInitializers>(to, &name, &value, size_t{1}) : ort::call<ort::kAddInitializer>(to, name, value);
  return s == nullptr ? value : nullptr;
}

void kernels_release(void *value) { ort::call<ort::kReleaseValue, void>(static_cast<ort::Value *>(value)); }

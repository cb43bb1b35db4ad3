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
    for (const ort::CustomOp *op : {kernels::winograd_op, kernels::gate_op}) {
      ort::call<ort::kCustomOpDomainAdd>(d, op);
    }
    return d;
  }();
  if (domain == nullptr) return 0;
  ort::call<ort::kAddCustomOpDomain>(static_cast<ort::Options *>(options), domain);
  return 1;
}

// Gate passes a gradient on where a value lies between two bounds.

#include <algorithm>

#include "op.h"

namespace kernels {
namespace {

KERNELS_SIMD void gate(const float *g, const float *x, float low, float high, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = (x[i] > low) & (x[i] < high) ? g[i] : 0;
}

struct Gate {
  static constexpr const char *name = "Gate";
  static constexpr size_t inputs = 2, required = 2;  // g and x
  static constexpr int inplace = 0;

  explicit Gate(const ort::Info *info) : low(number(info, "low")), high(number(info, "high")) {}

  ort::Status *compute(ort::Context *context) const {
    constexpr int64_t kLot = 1 << 14;
    const Tensor g = input(context, 0), x = input(context, 1);
    float *y = output(context, 0, g.dims, g.rank);
    const int64_t n = g.count();
    return parallel(context, (n + kLot - 1) / kLot, [&](size_t i) {
      const int64_t from = i * kLot;
      gate(g.data + from, x.data + from, low, high, y + from, std::min(kLot, n - from));
    });
  }

  float low, high;
};

}  // namespace

const ort::CustomOp *const gate_op = &op<Gate>;

}  // namespace kernels

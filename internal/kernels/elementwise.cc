// Elementwise computes each element alone, by a program.

#include <algorithm>

#include "program.h"

namespace kernels {
namespace {

struct Elementwise {
  static constexpr const char *name = "Elementwise";
  static constexpr size_t inputs = kOperands, required = 1;  // the first is of the result's shape
  static constexpr int inplace = 0;

  explicit Elementwise(const ort::Info *info) : program(info) {}

  ort::Status *compute(ort::Context *context) const {
    constexpr int64_t kPart = 16 * kLot;
    Tensor x[kOperands];
    const size_t operands = Program::operands(context, 0, x);
    Tensor y = x[0];
    y.data = output(context, 0, y.dims, y.rank);
    const int64_t n = y.count();
    return parallel(context, (n + kPart - 1) / kPart, [&](size_t i) {
      const int64_t from = i * kPart;
      Run(program, x, operands, y).compute(from, std::min(kPart, n - from));
    });
  }

  Program program;
};

}  // namespace

const ort::CustomOp *const elementwise_op = &op<Elementwise>;

}  // namespace kernels

// Programs: steps that are each of every element alone, computed in lots that stay in the first cache, so that memory is
// read and written once for all of them.
#pragma once

#include <vector>

#include "op.h"
#include "register.h"

namespace kernels {

constexpr int64_t kLot = 256;

// A step makes a register what its code says of two others. Registers are the operands, of which there is room for
// kOperands, and behind them what the steps make, one after the other.
struct Step {
  int64_t code, left, right;
  float alpha, beta;
};

struct Program {
  explicit Program(const ort::Info *info);

  // operands is how many values there are of a node's inputs from first on.
  static size_t operands(const ort::Context *context, size_t first, Tensor *x);

  std::vector<Step> steps;
  int64_t lanes;  // channels that are side by side
};

// Run is a program on one thread. Its operands have as many elements as the result, one, one for each channel, or one
// for each channel of each image: the last two in the blocked layout.
class Run {
 public:
  Run(const Program &program, const Tensor *x, size_t operands, const Tensor &result);

  // compute makes elements [from,from+n) of the result.
  void compute(int64_t from, int64_t n);

 private:
  void lot(int64_t from, int64_t n);
  void spread(int64_t block);

  const Program &program;
  const Tensor *const x;
  const size_t operands;
  float *const y;
  int64_t count, size;  // elements in all, and of a block of channels: those that share what is spread
  int64_t block = -1;   // that spread was last for
  const float *registers[kOperands + kSteps];
  alignas(64) float spreads[kOperands][kLot], made[kSteps][kLot];
};

}  // namespace kernels

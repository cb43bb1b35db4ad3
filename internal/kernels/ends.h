// Ends: the program that an operator's result goes through on the way out, while it is in the caches.
#pragma once

#include <algorithm>

#include "program.h"

namespace kernels {

struct Ends {
  explicit Ends(const ort::Info *info) : program(info), own(attribute(info, "own")) {}

  Program program;
  int64_t own;  // the operand that is the result
};

// Ending is that of a result; its other operands are a node's inputs from first on.
class Ending {
 public:
  Ending(const ort::Context *context, const Ends &ends, size_t first, const Tensor &result) : ends(ends), result(result) {
    if (ends.program.steps.empty()) return;
    operands = Program::operands(context, first, x) + 1;
    std::copy_backward(x + ends.own, x + operands - 1, x + operands);
    x[ends.own] = result;
  }

  // Part is for one thread. It computes elements that have been written.
  class Part {
   public:
    explicit Part(const Ending &ending) : none(ending.operands == 0), run(ending.ends.program, ending.x, ending.operands, ending.result) {}

    void compute(int64_t from, int64_t n) {
      if (!none) run.compute(from, n);
    }

   private:
    bool none;
    Run run;
  };

 private:
  const Ends &ends;
  const Tensor result;
  Tensor x[kOperands];
  size_t operands = 0;
};

}  // namespace kernels

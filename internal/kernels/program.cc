#include "program.h"

#include <algorithm>

#if !defined(__clang__)
#pragma GCC optimize("finite-math-only,no-signed-zeros,no-trapping-math")  // cut is two instructions, in place of branches
#endif

namespace kernels {
namespace {

KERNELS_INLINE float cut(float x, float low, float high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

constexpr float kWhole = 0x1.8p23f;  // in numbers so large there is no fraction

// power is 2ⁿ⁺ᶠ of |f| ≤ 1/2, by a polynomial, and of a whole n from -126 to 127, that is given as n + kWhole.
KERNELS_INLINE float power(float whole, float f) {
  float p = 0x1.41fbbcp-13f;
  p = p * f + 0x1.5f3e52p-10f;
  p = p * f + 0x1.3b2d4cp-7f;
  p = p * f + 0x1.c6aee8p-5f;
  p = p * f + 0x1.ebfbdcp-3f;
  p = p * f + 0x1.62e43p-1f;
  p = p * f + 1;
  return __builtin_bit_cast(float, __builtin_bit_cast(int32_t, p) + (__builtin_bit_cast(int32_t, whole) << 23));
}

constexpr float kLog2e = 0x1.715476p0f;

// exponential is eˣ, 0 where that would be less than the least number of full precision, with which all is slow, and of no
// larger x than there is a number for.
KERNELS_INLINE float exponential(float x) {
  constexpr float kLeast = -87.3f;
  const bool none = x < kLeast;
  x = cut(x, kLeast, 88.72f);
  const float whole = x * kLog2e + kWhole, n = whole - kWhole;
  const float f = x - n * 0x1.62e4p-1f - n * 0x1.7f7d1cp-20f;  // ln(2) in two parts, the first so short that n times it is exact
  const float y = power(whole, f * kLog2e);
  return none ? 0 : y;
}

// logistic is 1/(1 + e⁻ˣ), of no x beyond 18 either side, as ONNX Runtime: what is less makes numbers so small that all is
// slow.
KERNELS_INLINE float logistic(float x) {
  x = cut(x, -18, 18);
  const float whole = kWhole - x * kLog2e, n = whole - kWhole;
  return 1 / (1 + power(whole, -kLog2e * x - n));
}

// error is the error function: up to 1 by a polynomial, and from there 1 less what is so little by 4 that it makes no
// difference, whose logarithm is a polynomial.
KERNELS_INLINE float error(float x) {
  const float a = cut(x < 0 ? -x : x, 0, 4), s = a * a;
  float p = 0x1.496abp-14f;
  p = p * s - 0x1.a3f734p-11f;
  p = p * s + 0x1.5405bap-8f;
  p = p * s - 0x1.b7f90ep-6f;
  p = p * s + 0x1.ce2cf8p-4f;
  p = p * s - 0x1.81273ep-2f;
  p = p * s + 0x1.20dd74p+0f;
  float q = 0x1.8a348ap-13f;
  q = q * a - 0x1.847f8cp-9f;
  q = q * a + 0x1.66ea6cp-6f;
  q = q * a - 0x1.a6effap-4f;
  q = q * a - 0x1.46a35ap-1f;
  q = q * a - 0x1.209054p+0f;
  q = q * a - 0x1.47a5d4p-12f;
  const float y = a < 1 ? a * p : 1 - exponential(q);
  return x < 0 ? -y : y;
}

KERNELS_SIMD void take(const Step &s, const float *a, const float *b, float *y, int64_t n) {
  const float alpha = s.alpha, beta = s.beta;
  switch (s.code) {
    case kAdd:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
      break;
    case kSub:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = a[i] - b[i];
      break;
    case kDiv:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = a[i] / b[i];
      break;
    case kExp:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = exponential(a[i]);
      break;
    case kErf:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = error(a[i]);
      break;
    case kMul:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = a[i] * b[i];
      break;
    case kLinear:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = alpha * a[i] + beta;
      break;
    case kBounded:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = (b[i] > alpha) & (b[i] < beta) ? a[i] : 0;
      break;
    case kCut:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = cut(a[i], alpha, beta);
      break;
    case kHardSigmoid:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = cut(alpha * a[i] + beta, 0, 1);
      break;
    case kSigmoid:
      KERNELS_EACH for (int64_t i = 0; i < n; i++) y[i] = logistic(a[i]);
      break;
  }
}

}  // namespace

Program::Program(const ort::Info *info) : lanes(attribute(info, "lanes")) {
  const std::vector<int64_t> code = integers(info, "code");
  const std::vector<float> parameters = numbers(info, "parameters");
  for (size_t i = 0; i < code.size() / 3; i++) {
    steps.push_back({code[3 * i], code[3 * i + 1], code[3 * i + 2], parameters[2 * i], parameters[2 * i + 1]});
  }
}

size_t Program::operands(const ort::Context *context, size_t first, Tensor *x) {
  size_t n = 0;
  while (n < kOperands && (x[n] = input(context, first + n)).data != nullptr) n++;
  return n;
}

Run::Run(const Program &program, const Tensor *x, size_t operands, const Tensor &result)
    : program(program), x(x), operands(operands), y(result.data), count(result.count()), size(count) {
  for (size_t i = 0; i < operands; i++) {
    const int64_t n = x[i].count();
    if (n != count && n != 1) size = result.dims[2] * result.dims[3] * program.lanes;
  }
}

void Run::compute(int64_t from, int64_t n) {
  while (n > 0) {
    const int64_t length = std::min({n, kLot, size - from % size});
    lot(from, length);
    from += length;
    n -= length;
  }
}

// ask has memory read, or made ready to be written, before it is needed.
template <bool kWrite>
KERNELS_INLINE void ask(const float *at, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(at + i, kWrite);
}

void Run::lot(int64_t from, int64_t n) {
  if (from / size != block) spread(block = from / size);
  ask<true>(y + from + n, n);  // of the next lot
  for (size_t i = 0; i < operands; i++) {
    if (x[i].count() != count) continue;
    registers[i] = x[i].data + from;
    ask<false>(registers[i] + n, n);
  }
  for (size_t i = 0; i < program.steps.size(); i++) {
    const Step &s = program.steps[i];
    float *const to = i + 1 < program.steps.size() ? made[i] : y + from;
    take(s, registers[s.left], registers[s.right], to, n);
    registers[kOperands + i] = to;
  }
}

// spread repeats what operands have for the channels of a block.
void Run::spread(int64_t block) {
  for (size_t i = 0; i < operands; i++) {
    const int64_t n = x[i].count(), lanes = std::min(n, program.lanes);
    if (n == count) continue;
    const float *const from = x[i].data + block * lanes % n;
    for (int64_t j = 0; j < kLot; j += lanes) std::copy_n(from, lanes, spreads[i] + j);
    registers[i] = spreads[i];
  }
}

}  // namespace kernels

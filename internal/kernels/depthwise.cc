// DepthwiseGradient is the gradient of a convolution of each channel with stride 2, of maps in blocks: every second row
// and column of it is a convolution of its own, of those that it is given.

#include <algorithm>

#include "ends.h"

namespace kernels {
namespace {

// Kernel is that of a phase: weights of a block of channels, and how far before an element they begin.
struct Kernel {
  int64_t rows, columns, above, left;
  const float *weights;
};

// Row is one of a phase: where it is written, each second element, and the rows that it is computed from.
struct Row {
  const float *from;  // the first row of the gradient that the kernel may meet
  int64_t first, last;  // rows of the kernel that meet one
  int64_t width;        // of that
  float *to;
  int64_t count;
};

template <int kLanes>
KERNELS_INLINE void convolve(const Kernel &k, const Row &row) {
  typedef typename Lanes<kLanes>::vec vec;
  constexpr int64_t kAtOnce = 4;
  const vec *const weights = (const vec *)k.weights, *const from = (const vec *)row.from;
  vec *const to = (vec *)row.to;
  for (int64_t j = 0; j < row.count;) {
    const int64_t begin = j - k.left;
    if (begin >= 0 && begin + kAtOnce - 1 + k.columns <= row.width && j + kAtOnce <= row.count) {
      vec sums[kAtOnce] = {};
      for (int64_t a = row.first; a < row.last; a++) {
        for (int64_t b = 0; b < k.columns; b++) {
          const vec w = weights[a * k.columns + b], *const x = from + a * row.width + begin + b;
          for (int64_t i = 0; i < kAtOnce; i++) sums[i] += w * x[i];
        }
      }
      for (int64_t i = 0; i < kAtOnce; i++) to[2 * (j + i)] = sums[i];
      j += kAtOnce;
    } else {
      vec sum = {};
      for (int64_t a = row.first; a < row.last; a++) {
        for (int64_t b = std::max<int64_t>(0, -begin); b < std::min(k.columns, row.width - begin); b++) {
          sum += weights[a * k.columns + b] * from[a * row.width + begin + b];
        }
      }
      to[2 * j++] = sum;
    }
  }
}

KERNELS_SIMD void convolve16(const Kernel &k, const Row &row) { convolve<16>(k, row); }
KERNELS_SIMD void convolve8(const Kernel &k, const Row &row) { convolve<8>(k, row); }

struct DepthwiseGradient {
  static constexpr int64_t kPhases = 4;
  static constexpr const char *name = "DepthwiseGradient";
  static constexpr size_t own = 1 + kPhases, inputs = own + kOperands, required = 1;  // of the output, the weights of each phase; and of Ends
  static constexpr int inplace = -1;

  explicit DepthwiseGradient(const ort::Info *info)
      : allocator(info),
        ends(info),
        lanes(attribute(info, "lanes")),
        height(attribute(info, "height")),
        width(attribute(info, "width")),
        rows(integers(info, "rows")),
        columns(integers(info, "columns")),
        above(integers(info, "above")),
        left(integers(info, "left")) {}

  ort::Status *compute(ort::Context *context) const {
    const Tensor g = input(context, 0);
    const int64_t blocks = g.dims[1] / lanes, dims[4] = {g.dims[0], g.dims[1], height, width};
    const Tensor result{output(context, 0, dims, 4), {dims[0], dims[1], height, width}, 4};
    const Ending ending(context, ends, own, result);
    Tensor weights[kPhases];
    int64_t taps = 0, begins[kPhases];
    for (int64_t p = 0; p < kPhases; p++) {
      if (rows[p] > 0) weights[p] = input(context, 1 + p);
      begins[p] = taps;
      taps += rows[p] * columns[p];
    }
    const Room room(allocator.get(), blocks * taps * lanes);  // weights in blocks
    for (int64_t p = 0; p < kPhases; p++) {
      const int64_t size = rows[p] * columns[p];
      for (int64_t c = 0; c < blocks * lanes; c++) {
        for (int64_t t = 0; t < size; t++) {
          room.data[((c / lanes) * taps + begins[p] + t) * lanes + c % lanes] = c < weights[p].dims[0] ? weights[p].data[c * size + t] : 0;
        }
      }
    }
    return parallel(context, dims[0] * blocks, [&](int64_t i) {
      Ending::Part end(ending);
      const float *const from = g.data + i * g.dims[2] * g.dims[3] * lanes;
      for (int64_t h = 0; h < height; h++) {
        const int64_t at = (i * height + h) * width * lanes;
        for (int64_t q = 0; q < 2; q++) {
          const int64_t p = h % 2 * 2 + q, top = h / 2 - above[p];
          const Kernel k{rows[p], columns[p], above[p], left[p], room.data + (i % blocks * taps + begins[p]) * lanes};
          const Row row{from + top * g.dims[3] * lanes, std::max<int64_t>(0, -top), std::min(rows[p], g.dims[2] - top), g.dims[3],
                        result.data + at + q * lanes, (width - q + 1) / 2};
          (lanes == 16 ? convolve16 : convolve8)(k, row);
        }
        end.compute(at, width * lanes);
      }
    });
  }

  Allocator allocator;
  Ends ends;
  int64_t lanes, height, width;
  std::vector<int64_t> rows, columns, above, left;
};

}  // namespace

const ort::CustomOp *const depthwise_gradient_op = &op<DepthwiseGradient>;

}  // namespace kernels

// MaxPoolGradient is the gradient of a MaxPool, of maps in blocks: that of each window goes to the first of its elements
// that equals its maximum.

#include <algorithm>

#include "op.h"

namespace kernels {
namespace {

struct Windows {
  int64_t rows, columns, stride, above, left;  // of a window; and the padding
};

// Where the gradient of the maps goes: to maps in place, or to each second row and column of them by itself.
struct Phases {
  float *maps[4];
  int64_t apart, width;  // 0 in place, 1 each second; and the width of each
};

// Image is a block of channels: y and its gradient of a size, x and its of another.
struct Image {
  const float *g, *x, *y;
  int64_t height, width, down, across;
};

template <int kLanes>
KERNELS_INLINE void choose(const Windows &p, const Image &in, const Phases &out) {
  typedef typename Lanes<kLanes>::vec vec;
  const vec *const g = (const vec *)in.g, *const x = (const vec *)in.x, *const y = (const vec *)in.y;
  for (int64_t i = 0; i < in.down; i++) {
    const int64_t top = i * p.stride - p.above, h0 = std::max<int64_t>(top, 0), h1 = std::min(top + p.rows, in.height);
    for (int64_t j = 0; j < in.across; j++) {
      const int64_t side = j * p.stride - p.left, w0 = std::max<int64_t>(side, 0), w1 = std::min(side + p.columns, in.width);
      const vec most = y[i * in.across + j], none = {};
      vec rest = g[i * in.across + j];
      for (int64_t h = h0; h < h1; h++) {
        for (int64_t w = w0; w < w1; w++) {
          const auto is = x[h * in.width + w] == most;
          vec *const to = (vec *)out.maps[(h & out.apart) * 2 + (w & out.apart)] + (h >> out.apart) * out.width + (w >> out.apart);
          *to += is ? rest : none;
          rest = is ? none : rest;
        }
      }
    }
  }
}

KERNELS_SIMD void choose16(const Windows &p, const Image &in, const Phases &out) { choose<16>(p, in, out); }
KERNELS_SIMD void choose8(const Windows &p, const Image &in, const Phases &out) { choose<8>(p, in, out); }

struct MaxPoolGradient {
  static constexpr const char *name = "MaxPoolGradient";
  static constexpr size_t inputs = 3, required = 3, outputs = 4;  // of y, x and y
  static constexpr int inplace = -1;

  explicit MaxPoolGradient(const ort::Info *info)
      : windows{attribute(info, "rows"), attribute(info, "columns"), attribute(info, "stride"), attribute(info, "above"), attribute(info, "left")},
        lanes(attribute(info, "lanes")),
        made(attribute(info, "outputs")) {}

  ort::Status *compute(ort::Context *context) const {
    const Tensor g = input(context, 0), x = input(context, 1), y = input(context, 2);
    const int64_t apart = made > 1, height = (x.dims[2] + apart) >> apart, width = (x.dims[3] + apart) >> apart;
    const int64_t dims[4] = {x.dims[0], x.dims[1], height, width};
    float *maps[4] = {};
    for (int64_t i = 0; i < made; i++) maps[i] = output(context, i, dims, 4);
    const int64_t size = x.dims[2] * x.dims[3] * lanes, small = y.dims[2] * y.dims[3] * lanes, part = height * width * lanes;
    return parallel(context, x.dims[0] * x.dims[1] / lanes, [&](size_t i) {
      Phases out{{}, apart, width};
      for (int64_t k = 0; k < made; k++) {
        out.maps[k] = maps[k] + i * part;
        std::fill_n(out.maps[k], part, 0.f);
      }
      const Image in{g.data + i * small, x.data + i * size, y.data + i * small, x.dims[2], x.dims[3], y.dims[2], y.dims[3]};
      (lanes == 16 ? choose16 : choose8)(windows, in, out);
    });
  }

  Windows windows;
  int64_t lanes, made;
};

}  // namespace

const ort::CustomOp *const max_pool_gradient_op = &op<MaxPoolGradient>;

}  // namespace kernels

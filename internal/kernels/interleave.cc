// Interleave puts maps into place of which every stride-th row and column are by themselves: phases, each a value or, one
// after the other, as channels of one. InterleavePlain is the same of phases of any number of channels in one value, and
// makes plain maps.

#include "ends.h"

namespace kernels {
namespace {

// Whole is what phases are put into: channels of a size, which begins at a row of what the phases make.
struct Whole {
  explicit Whole(const ort::Info *info)
      : lanes(attribute(info, "lanes")),
        stride(attribute(info, "stride")),
        channels(attribute(info, "channels")),
        row(attribute(info, "row")),
        height(attribute(info, "height")),
        width(attribute(info, "width")) {}

  int64_t lanes, stride, channels, row, height, width;
};

// spread writes each stride-th pixel of a row, or zeros.
template <int kLanes>
KERNELS_INLINE void spread(const float *x, float *y, int64_t first, int64_t stride, int64_t width) {
  typedef typename Lanes<kLanes>::vec vec;
  const vec *from = (const vec *)x;
  vec *const to = (vec *)y;
  if (from == nullptr) {
    for (int64_t w = first; w < width; w += stride) to[w] = vec{};
  } else {
    for (int64_t w = first; w < width; w += stride) to[w] = *from++;
  }
}

KERNELS_SIMD void spread16(const float *from, float *to, int64_t first, int64_t stride, int64_t width) {
  spread<16>(from, to, first, stride, width);
}
KERNELS_SIMD void spread8(const float *from, float *to, int64_t first, int64_t stride, int64_t width) {
  spread<8>(from, to, first, stride, width);
}

struct Interleave {
  static constexpr const char *name = "Interleave";
  static constexpr size_t own = 16, inputs = own + kOperands, required = 0;  // phases; and of Ends
  static constexpr int inplace = -1;

  explicit Interleave(const ort::Info *info) : to(info), phases(attribute(info, "phases")), ends(info) {}

  ort::Status *compute(ort::Context *context) const {
    const int64_t blocks = (to.channels + to.lanes - 1) / to.lanes;
    Tensor from[own], any;
    for (int64_t p = 0; p < phases; p++) {
      from[p] = input(context, p);
      if (from[p].data != nullptr) any = from[p];
    }
    const int64_t dims[4] = {any.dims[0], blocks * to.lanes, to.height, to.width};
    const int64_t wide = any.dims[3] * to.lanes, map = any.dims[2] * wide, image = any.dims[1] / to.lanes * map;
    const Tensor result{output(context, 0, dims, 4), {dims[0], dims[1], to.height, to.width}, 4};
    const Ending ending(context, ends, own, result);
    return parallel(context, dims[0] * blocks, [&](int64_t i) {
      Ending::Part end(ending);
      const int64_t n = i / blocks, block = i % blocks;
      for (int64_t h = 0; h < to.height; h++) {
        const int64_t row = h + to.row;
        const int64_t at = (i * to.height + h) * to.width * to.lanes;
        for (int64_t q = 0; q < to.stride; q++) {
          const int64_t p = row % to.stride * to.stride + q;
          const float *x = phases == 1 ? from[0].data + p * blocks * map : from[p].data;
          if (x != nullptr) x += n * image + block * map + row / to.stride * wide;
          (to.lanes == 16 ? spread16 : spread8)(x, result.data + at, q, to.stride, to.width);
        }
        end.compute(at, to.width * to.lanes);
      }
    });
  }

  Whole to;
  int64_t phases;
  Ends ends;
};

struct InterleavePlain {
  static constexpr const char *name = "InterleavePlain";
  static constexpr size_t inputs = 1, required = 1;
  static constexpr int inplace = -1;

  explicit InterleavePlain(const ort::Info *info) : to(info) {}

  ort::Status *compute(ort::Context *context) const {
    const Tensor x = input(context, 0);
    const int64_t dims[4] = {x.dims[0], to.channels, to.height, to.width};
    const int64_t wide = x.dims[3] * to.lanes, map = x.dims[2] * wide, image = x.dims[1] / to.lanes * map;
    const int64_t count = to.stride * to.stride * to.channels;
    float *y = output(context, 0, dims, 4);
    return parallel(context, dims[0] * x.dims[2], [&](int64_t i) {
      const int64_t n = i / x.dims[2], row = i % x.dims[2];
      for (int64_t of = 0; of < count; of++) {  // a block's row stays in the first cache
        const int64_t phase = of / to.channels, h = row * to.stride + phase / to.stride - to.row;
        if (h < 0 || h >= to.height) continue;
        const float *from = x.data + n * image + of / to.lanes * map + row * wide + of % to.lanes;
        float *const at = y + ((n * to.channels + of % to.channels) * to.height + h) * to.width;
        for (int64_t w = phase % to.stride; w < to.width; w += to.stride, from += to.lanes) at[w] = *from;
      }
    });
  }

  Whole to;
};

}  // namespace

const ort::CustomOp *const interleave_op = &op<Interleave>;
const ort::CustomOp *const interleave_plain_op = &op<InterleavePlain>;

}  // namespace kernels

// Convolutions of 3x3 with stride 1 by Winograd's algorithm (Lavin and Gray, "Fast
// Algorithms for Convolutional Neural Networks", 2016), F(4x4,3x3): a quarter of the
// multiplications of the sum that defines a convolution, which is all that oneDNN
// offers libtorch. In float32 the results are off by up to 1e-5 of the largest, where those
// of the sum are off by 4e-7 (TestConv2dOfMaps); cuDNN takes the same algorithm unasked.
//
// A map is cut into tiles of 4x4 outputs. With the 6x6 inputs d of a tile, weights g and
// outputs y, for each pair of channels, y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A; summed over input
// channels, the products ⊙ are 36 matrix products. The gradient of x is the convolution of
// that of y by the turned weights; that of g is Gᵀ[Σ (A dy Aᵀ) ⊙ (Bᵀ d B)]G over the tiles.
//
// It is for float32 maps in channels-last order on CPUs with AVX-512, with enough channels
// for it to be faster; all others go to libtorch's conv2d.

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>
#include <torch/version.h>

#include "parallel.h"

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 5)
#include <optional>
using OptionalTensor = std::optional<at::Tensor>;
#else
using OptionalTensor = c10::optional<at::Tensor>;
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define GT_WINOGRAD
#endif

#ifdef GT_WINOGRAD

namespace {

constexpr int64_t kLanes = 16;   // channels at a time
constexpr int64_t kColumns = 32;  // of a product, at a time: two vectors
constexpr int64_t kRows = 12;     // likewise
constexpr int64_t kPoints = 36;   // of a tile of 6x6

// Maps are [N,H,W,C] in memory.
struct Tiles {
  int64_t height, width, down, across, count;
};

#pragma GCC push_options
#pragma GCC target("avx512f,fma")

typedef float vec __attribute__((vector_size(64), aligned(4)));
#define GT_INLINE __attribute__((always_inline)) static inline

GT_INLINE vec load(const float *p) { return *(const vec *)p; }
GT_INLINE void store(float *p, vec v) { *(vec *)p = v; }

// Each of these multiplies a column by one of the matrices.
GT_INLINE void by_b(const vec *d, int64_t step, vec *out, int64_t to) {
  const vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const vec even = d4 - 4 * d2, odd = d3 - 4 * d1, even2 = d4 - d2, odd2 = 2 * (d3 - d1);
  out[0] = 4 * d0 - 5 * d2 + d4;
  out[to] = even + odd;
  out[2 * to] = even - odd;
  out[3 * to] = even2 + odd2;
  out[4 * to] = even2 - odd2;
  out[5 * to] = 4 * d1 - 5 * d3 + d5;
}

GT_INLINE void by_a_transposed(const vec *m, int64_t step, vec *out, int64_t to) {
  const vec s1 = m[step] + m[2 * step], t1 = m[step] - m[2 * step];
  const vec s2 = m[3 * step] + m[4 * step], t2 = m[3 * step] - m[4 * step];
  out[0] = m[0] + s1 + s2;
  out[to] = t1 + 2 * t2;
  out[2 * to] = s1 + 4 * s2;
  out[3 * to] = t1 + 8 * t2 + m[5 * step];
}

GT_INLINE void by_a(const vec *y, int64_t step, vec *out, int64_t to) {
  const vec y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
  out[0] = y0;
  out[to] = y0 + y1 + y2 + y3;
  out[2 * to] = y0 - y1 + y2 - y3;
  out[3 * to] = y0 + 2 * y1 + 4 * y2 + 8 * y3;
  out[4 * to] = y0 - 2 * y1 + 4 * y2 - 8 * y3;
  out[5 * to] = y3;
}

GT_INLINE void by_g(const vec *g, int64_t step, vec *out, int64_t to) {
  const vec g0 = g[0], g1 = g[step], g2 = g[2 * step];
  const vec s = (g0 + g2) * (-1.f / 6), t = g1 * (1.f / 6), u = g0 * (1.f / 24) + g2 * (1.f / 6), v = g1 * (1.f / 12);
  out[0] = g0 * .25f;
  out[to] = s - t;
  out[2 * to] = s + t;
  out[3 * to] = u + v;
  out[4 * to] = u - v;
  out[5 * to] = g2;
}

GT_INLINE void by_g_transposed(const vec *u, int64_t step, vec *out, int64_t to) {
  const vec s1 = u[step] + u[2 * step], t1 = u[2 * step] - u[step], s2 = u[3 * step] + u[4 * step],
            t2 = u[3 * step] - u[4 * step];
  out[0] = u[0] * .25f - s1 * (1.f / 6) + s2 * (1.f / 24);
  out[to] = t1 * (1.f / 6) + t2 * (1.f / 12);
  out[2 * to] = s2 * (1.f / 6) - s1 * (1.f / 6) + u[5 * step];
}

// read writes Bᵀ d B (side 6) or A d Aᵀ (side 4) of tiles [from,to) of x to v
// [36,to-from,channels]. Outside the map there are zeros.
template <int side>
void read(const Tiles &tiles, const float *x, int64_t channels, int64_t from, int64_t to, float *v) {
  const int64_t plane = (to - from) * channels, pad = side == 6;
  for (int64_t t = from; t < to; t++) {
    const int64_t image = t / (tiles.down * tiles.across), place = t % (tiles.down * tiles.across);
    const int64_t top = place / tiles.across * 4 - pad, left = place % tiles.across * 4 - pad;
    for (int64_t c = 0; c < channels; c += kLanes) {
      vec d[side * side], half[6 * side], all[kPoints];
      for (int64_t i = 0; i < side; i++) {
        for (int64_t j = 0; j < side; j++) {
          const int64_t h = top + i, w = left + j;
          const bool inside = h >= 0 && h < tiles.height && w >= 0 && w < tiles.width;
          d[i * side + j] = inside ? load(x + ((image * tiles.height + h) * tiles.width + w) * channels + c) : vec{};
        }
      }
      for (int64_t j = 0; j < side; j++) side == 6 ? by_b(d + j, side, half + j, side) : by_a(d + j, side, half + j, side);
      for (int64_t i = 0; i < 6; i++) side == 6 ? by_b(half + i * side, 1, all + i * 6, 1) : by_a(half + i * side, 1, all + i * 6, 1);
      for (int64_t p = 0; p < kPoints; p++) store(v + p * plane + (t - from) * channels + c, all[p]);
    }
  }
}

// write writes Aᵀ m A + bias of m [36,to-from,channels] to tiles of y.
void write(const Tiles &tiles, const float *m, const float *bias, int64_t channels, int64_t from, int64_t to, float *y) {
  const int64_t plane = (to - from) * channels;
  for (int64_t t = from; t < to; t++) {
    const int64_t image = t / (tiles.down * tiles.across), place = t % (tiles.down * tiles.across);
    const int64_t top = place / tiles.across * 4, left = place % tiles.across * 4;
    const int64_t rows = std::min<int64_t>(4, tiles.height - top), columns = std::min<int64_t>(4, tiles.width - left);
    for (int64_t c = 0; c < channels; c += kLanes) {
      vec all[kPoints], half[24], out[16];
      for (int64_t p = 0; p < kPoints; p++) all[p] = load(m + p * plane + (t - from) * channels + c);
      for (int64_t j = 0; j < 6; j++) by_a_transposed(all + j, 6, half + j, 6);
      for (int64_t i = 0; i < 4; i++) by_a_transposed(half + i * 6, 1, out + i * 4, 1);
      const vec shift = bias != nullptr ? load(bias + c) : vec{};
      for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
          store(y + ((image * tiles.height + top + i) * tiles.width + left + j) * channels + c, out[i * 4 + j] + shift);
        }
      }
    }
  }
}

// product adds to c [rows,32], or with fresh replaces it by, the product of a [rows,depth],
// whose element (r,k) is at a[r·ar + k·ak], and b [depth,32] with rows bk apart.
template <int rows>
void product(const float *a, int64_t ar, int64_t ak, const float *b, int64_t bk, float *c, int64_t cr, int64_t depth, bool fresh) {
  vec sum[rows][2];
  for (int r = 0; r < rows; r++) {
    sum[r][0] = fresh ? vec{} : load(c + r * cr);
    sum[r][1] = fresh ? vec{} : load(c + r * cr + kLanes);
  }
  for (int64_t k = 0; k < depth; k++) {
    const vec b0 = load(b + k * bk), b1 = load(b + k * bk + kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      const float f = a[r * ar + k * ak];
      sum[r][0] += f * b0;
      sum[r][1] += f * b1;
    }
  }
  for (int r = 0; r < rows; r++) {
    store(c + r * cr, sum[r][0]);
    store(c + r * cr + kLanes, sum[r][1]);
  }
}

// multiply does all rows.
void multiply(const float *a, int64_t ar, int64_t ak, const float *b, int64_t bk, float *c, int64_t cr, int64_t rows,
              int64_t depth, bool fresh) {
  for (; rows >= kRows; rows -= kRows, a += kRows * ar, c += kRows * cr) product<kRows>(a, ar, ak, b, bk, c, cr, depth, fresh);
  for (; rows >= 4; rows -= 4, a += 4 * ar, c += 4 * cr) product<4>(a, ar, ak, b, bk, c, cr, depth, fresh);
  for (; rows > 0; rows--, a += ar, c += cr) product<1>(a, ar, ak, b, bk, c, cr, depth, fresh);
}

// expand writes G g Gᵀ to u [36,out/32,in,32] of weights g, whose element for channels
// (i,o) and tap t is at g[i·gi + o·go + t], or with turned that of tap 8-t. It does
// the input channels [from,to).
void expand(const float *g, int64_t gi, int64_t go, bool turned, int64_t in, int64_t out, int64_t from, int64_t to, float *u) {
  for (int64_t i = from; i < to; i++) {
    for (int64_t o = 0; o < out; o += kLanes) {
      vec taps[9], half[18], all[kPoints];
      for (int64_t t = 0; t < 9; t++) {
        for (int64_t l = 0; l < kLanes; l++) taps[t][l] = g[i * gi + (o + l) * go + (turned ? 8 - t : t)];
      }
      for (int64_t j = 0; j < 3; j++) by_g(taps + j, 3, half + j, 3);
      for (int64_t k = 0; k < 6; k++) by_g(half + k * 3, 1, all + k * 6, 1);
      for (int64_t p = 0; p < kPoints; p++) {
        store(u + ((p * (out / kColumns) + o / kColumns) * in + i) * kColumns + o % kColumns, all[p]);
      }
    }
  }
}

// contract writes Gᵀ u G of u [36,in,out] to the gradient g [out,9,in] of the weights.
void contract(const float *u, int64_t in, int64_t out, int64_t from, int64_t to, float *g) {
  for (int64_t i = from; i < to; i++) {
    for (int64_t o = 0; o < out; o += kLanes) {
      vec all[kPoints], half[18], taps[9];
      for (int64_t p = 0; p < kPoints; p++) all[p] = load(u + (p * in + i) * out + o);
      for (int64_t j = 0; j < 6; j++) by_g_transposed(all + j, 6, half + j, 6);
      for (int64_t k = 0; k < 3; k++) by_g_transposed(half + k * 6, 1, taps + k * 3, 1);
      for (int64_t t = 0; t < 9; t++) {
        for (int64_t l = 0; l < kLanes; l++) g[((o + l) * 9 + t) * in + i] = taps[t][l];
      }
    }
  }
}

#pragma GCC pop_options

Tiles tiles_of(const at::Tensor &x) {
  const int64_t height = x.size(2), width = x.size(3), down = (height + 3) / 4, across = (width + 3) / 4;
  return {height, width, down, across, x.size(0) * down * across};
}

at::Tensor room(const at::Tensor &like, int64_t n) { return at::empty({n}, like.options(), at::MemoryFormat::Contiguous); }

// convolve is the convolution of x by weights [out,in,3,3] in channels-last order, or with
// back, of x [N,out,H,W], the gradient that goes to its input.
at::Tensor convolve(const at::Tensor &x, const at::Tensor &weight, const float *bias, bool back) {
  const int64_t in = x.size(1), out = weight.size(back ? 1 : 0);
  const Tiles tiles = tiles_of(x);
  // In memory weights are [out,3,3,in]: taps side by side are what expand wants.
  const at::Tensor taps = weight.contiguous(at::MemoryFormat::Contiguous);
  const int64_t per_out = weight.size(1) * 9;
  const at::Tensor u = room(x, kPoints * in * out);
  float *expanded = u.data_ptr<float>();
  at::parallel_for(0, in, 8, [&](int64_t from, int64_t to) {
    expand(taps.data_ptr<float>(), back ? per_out : 9, back ? 9 : per_out, back, in, out, from, to, expanded);
  });
  const at::Tensor y = at::empty({x.size(0), out, x.size(2), x.size(3)}, x.options(), at::MemoryFormat::ChannelsLast);
  const float *data = x.data_ptr<float>();
  float *result = y.data_ptr<float>();
  const int64_t chunk = 4 * kRows, chunks = (tiles.count + chunk - 1) / chunk;
  at::parallel_for(0, chunks, 1, [&](int64_t first, int64_t last) {
    const at::Tensor rooms = room(x, kPoints * chunk * (in + out));
    float *v = rooms.data_ptr<float>(), *m = v + kPoints * chunk * in;
    for (int64_t i = first; i < last; i++) {
      const int64_t from = i * chunk, to = std::min(from + chunk, tiles.count), n = to - from;
      read<6>(tiles, data, in, from, to, v);
      for (int64_t p = 0; p < kPoints; p++) {
        for (int64_t o = 0; o < out; o += kColumns) {
          multiply(v + p * n * in, in, 1, expanded + (p * out + o) * in, kColumns, m + p * n * out + o, out, n, in, true);
        }
      }
      write(tiles, m, bias, out, from, to, result);
    }
  });
  return y;
}

// weight_gradient is that of weights [out,in,3,3].
at::Tensor weight_gradient(const at::Tensor &x, const at::Tensor &dy) {
  const int64_t in = x.size(1), out = dy.size(1);
  const Tiles tiles = tiles_of(x);
  const at::Tensor u = room(x, kPoints * in * out);
  const int64_t chunk = std::min<int64_t>(tiles.count, in >= 256 ? 256 : 96);
  const at::Tensor rooms = room(x, kPoints * chunk * (in + out));
  float *sums = u.data_ptr<float>(), *v = rooms.data_ptr<float>(), *w = v + kPoints * chunk * in;
  const float *data = x.data_ptr<float>(), *grad = dy.data_ptr<float>();
  for (int64_t start = 0; start < tiles.count; start += chunk) {
    const int64_t n = std::min(chunk, tiles.count - start);
    // Tiles are read by themselves, so that threads share the work: [tile,36,channels].
    at::parallel_for(0, n, 8, [&](int64_t from, int64_t to) {
      for (int64_t t = from; t < to; t++) {
        read<6>(tiles, data, in, start + t, start + t + 1, v + t * kPoints * in);
        read<4>(tiles, grad, out, start + t, start + t + 1, w + t * kPoints * out);
      }
    });
    at::parallel_for(0, kPoints, 1, [&](int64_t from, int64_t to) {
      for (int64_t p = from; p < to; p++) {
        for (int64_t o = 0; o < out; o += kColumns) {
          multiply(v + p * in, 1, kPoints * in, w + p * out + o, kPoints * out, sums + p * in * out + o, out, in, n, start == 0);
        }
      }
    });
  }
  const at::Tensor g = at::empty({out, in, 3, 3}, x.options(), at::MemoryFormat::ChannelsLast);
  at::parallel_for(0, in, 8, [&](int64_t from, int64_t to) { contract(sums, in, out, from, to, g.data_ptr<float>()); });
  return g;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Convolution : torch::autograd::Function<Convolution> {
  // bias is weight for none, as libtorch wants all arguments to be there.
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias) {
    ctx->save_for_backward({x, weight});
    const bool biased = !bias.is_same(weight);
    ctx->saved_data["x"] = x.requires_grad();
    ctx->saved_data["weight"] = weight.requires_grad();
    ctx->saved_data["bias"] = biased && bias.requires_grad();
    return convolve(x, weight, biased ? bias.data_ptr<float>() : nullptr, false);
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "a convolution by Winograd's algorithm has no second derivative");
    const auto saved = ctx->get_saved_variables();
    const at::Tensor dy = grads[0].contiguous(at::MemoryFormat::ChannelsLast);
    const auto wants = [&](const char *name) { return ctx->saved_data[name].toBool(); };
    return {wants("x") ? convolve(dy, saved[1], nullptr, true) : at::Tensor(),
            wants("weight") ? weight_gradient(saved[0], dy) : at::Tensor(),
            wants("bias") ? dy.sum({0, 2, 3}) : at::Tensor()};
  }
};

bool plain(const at::Tensor &t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat; }

// pays says whether it is faster: there are channels enough for the products to be
// most of the work, and tiles enough for what the weights take.
bool pays(const at::Tensor &x, const at::Tensor &weight) {
  static const bool able = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
  const int64_t in = weight.size(1), out = weight.size(0);
  return able && in % kColumns == 0 && out % kColumns == 0 && in >= 32 && out >= 32 && tiles_of(x).count >= 48;
}

bool fits(const at::Tensor &x, const at::Tensor &weight, const OptionalTensor &bias, at::IntArrayRef stride, at::IntArrayRef padding,
          at::IntArrayRef dilation, int64_t groups) {
  const auto ones = [](at::IntArrayRef list) { return list.size() == 2 && list[0] == 1 && list[1] == 1; };
  return plain(x) && plain(weight) && x.dim() == 4 && weight.dim() == 4 && weight.size(2) == 3 && weight.size(3) == 3 &&
         ones(stride) && ones(padding) && ones(dilation) && groups == 1 && x.size(1) == weight.size(1) &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
         (!bias || (plain(*bias) && bias->dim() == 1 && bias->size(0) == weight.size(0) && bias->is_contiguous())) &&
         pays(x, weight);
}

}  // namespace

#endif

namespace {

at::Tensor conv2d(const at::Tensor &x, const at::Tensor &weight, const OptionalTensor &bias, at::IntArrayRef stride,
                  at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups) {
#ifdef GT_WINOGRAD
  if (fits(x, weight, bias, stride, padding, dilation, groups)) {
    return Convolution::apply(x, weight, bias ? *bias : weight);
  }
#endif
  return at::conv2d(x, weight, bias, stride, padding, dilation, groups);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(gotorch, m) {
  m.def("conv2d(Tensor x, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups) -> Tensor", &conv2d);
}

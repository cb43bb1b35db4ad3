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
// It is for float32 maps in channels-last order on CPUs with AVX2 or AVX-512, whose channels
// fill its vectors; all others go to libtorch's conv2d.

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>
#include <torch/version.h>

#include "../../internal/kernels/winograd.h"
#include "parallel.h"

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 5)
#include <optional>
using OptionalTensor = std::optional<at::Tensor>;
#else
using OptionalTensor = c10::optional<at::Tensor>;
#endif

#ifdef WINOGRAD

namespace {

using namespace winograd;

constexpr int64_t kChunk = 48;  // tiles at a time: what is made of them stays in the second cache

// Kernels are what winograd_kernels.h has, which says what each does.
struct Kernels {
  int64_t lanes;  // channels at a time
  void (*read6)(const Map &, const Tiles &, const float *x, int64_t channels, int64_t from, int64_t to, float *v, int64_t rows);
  void (*read4)(const Map &, const Tiles &, const float *x, int64_t channels, int64_t from, int64_t to, float *v, int64_t rows);
  void (*write)(const Map &, const Tiles &, const float *m, const float *bias, int64_t channels, int64_t from, int64_t to, float *y);
  void (*forward)(const float *a, const float *b, float *c, int64_t in, int64_t out, int64_t rows);
  void (*outer)(const float *a, const float *b, float *c, int64_t in, int64_t out, int64_t rows, bool fresh);
  void (*expand)(const float *g, bool back, int64_t in, int64_t out, int64_t from, int64_t to, float *u);
  void (*contract)(const float *u, int64_t in, int64_t out, int64_t from, int64_t to, float *g);
};

#pragma GCC push_options
#pragma GCC target("avx512f,fma,prfchw")
namespace avx512 {
constexpr int kLanes = 16, kRegisters = 32;
#include "../../internal/kernels/winograd_tiles.h"
#include "winograd_kernels.h"
}  // namespace avx512
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,prfchw")
namespace avx2 {
constexpr int kLanes = 8, kRegisters = 16;
#include "../../internal/kernels/winograd_tiles.h"
#include "winograd_kernels.h"
}  // namespace avx2
#pragma GCC pop_options

// kernels_for are those for so many channels, or null. ATEN_CPU_CAPABILITY bounds them as
// it does libtorch's.
const Kernels *kernels_for(int64_t in, int64_t out) {
  static const char *const bound = std::getenv("ATEN_CPU_CAPABILITY");
  static const bool any = bound == nullptr || std::strcmp(bound, "default") != 0;
  static const bool all = any && (bound == nullptr || std::strcmp(bound, "avx2") != 0);
  static const bool both = __builtin_cpu_supports("fma") && __builtin_cpu_supports("prfchw");
  static const bool has512 = all && both && __builtin_cpu_supports("avx512f"), has2 = any && both && __builtin_cpu_supports("avx2");
  for (const Kernels *k : {has512 ? &avx512::kernels : nullptr, has2 ? &avx2::kernels : nullptr}) {
    if (k != nullptr && in % k->lanes == 0 && out % k->lanes == 0) return k;
  }
  return nullptr;
}

Tiles tiles_of(const at::Tensor &x) {
  const int64_t down = (x.size(2) + 3) / 4, across = (x.size(3) + 3) / 4;
  return {down, across, x.size(0) * down * across, 1, 1};
}

// map_of is how maps in channels-last order lie in memory.
Map map_of(const at::Tensor &x, const Kernels &kernels) {
  const int64_t channels = x.size(1), height = x.size(2), width = x.size(3);
  return {height, width, height * width * channels, kernels.lanes, width * channels, channels};
}

at::Tensor room(const at::Tensor &like, int64_t n) { return at::empty({n}, like.options(), at::MemoryFormat::Contiguous); }

// convolve is the convolution of x by weights [out,in,3,3] in channels-last order, or with
// back, of x [N,out,H,W], the gradient that goes to its input.
at::Tensor convolve(const at::Tensor &x, const at::Tensor &weight, const float *bias, bool back) {
  const int64_t in = x.size(1), out = weight.size(back ? 1 : 0);
  const Tiles tiles = tiles_of(x);
  const Kernels &kernels = *kernels_for(in, out);
  const at::Tensor taps = weight.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor u = room(x, kPoints * in * out);
  float *expanded = u.data_ptr<float>();
  at::parallel_for(0, in / kernels.lanes, 1, [&](int64_t from, int64_t to) {
    kernels.expand(taps.data_ptr<float>(), back, in, out, from, to, expanded);
  });
  const at::Tensor y = at::empty({x.size(0), out, x.size(2), x.size(3)}, x.options(), at::MemoryFormat::ChannelsLast);
  const Map from_map = map_of(x, kernels), to_map = map_of(y, kernels);
  const float *data = x.data_ptr<float>();
  float *result = y.data_ptr<float>();
  const int64_t chunks = (tiles.count + kChunk - 1) / kChunk;
  at::parallel_for(0, chunks, 1, [&](int64_t first, int64_t last) {
    const at::Tensor rooms = room(x, kPoints * kChunk * (in + out));
    float *v = rooms.data_ptr<float>(), *m = v + kPoints * kChunk * in;
    for (int64_t i = first; i < last; i++) {
      const int64_t from = i * kChunk, to = std::min(from + kChunk, tiles.count), n = to - from;
      kernels.read6(from_map, tiles, data, in, from, to, v, n);
      for (int64_t p = 0; p < kPoints; p++) kernels.forward(v + p * n * in, expanded + p * out * in, m + p * n * out, in, out, n);
      kernels.write(to_map, tiles, m, bias, out, from, to, result);
    }
  });
  return y;
}

// Sums are those of a gradient of weights: for each of 36 points a matrix, to which each chunk of tiles
// adds a product.
struct Sums {
  Sums(const at::Tensor &x, const at::Tensor &dy, float *sums)
      : kernels(*kernels_for(x.size(1), dy.size(1))), tiles(tiles_of(x)), x_map(map_of(x, kernels)), dy_map(map_of(dy, kernels)), in(x.size(1)), out(dy.size(1)), x(x.data_ptr<float>()), dy(dy.data_ptr<float>()), sums(sums),
        rooms(room(dy, kPoints * kChunk * (in + out))) {}

  void transform(int64_t from, int64_t to, int64_t start, int64_t rows) const {
    kernels.read6(x_map, tiles, x, in, from, to, v() + (from - start) * kernels.lanes, rows);
    kernels.read4(dy_map, tiles, dy, out, from, to, w() + (from - start) * kernels.lanes, rows);
  }
  void add(int64_t from, int64_t to, int64_t rows, bool fresh) const {
    for (int64_t p = from; p < to; p++) kernels.outer(v() + p * rows * in, w() + p * rows * out, sums + p * in * out, in, out, rows, fresh);
  }
  float *v() const { return rooms.data_ptr<float>(); }
  float *w() const { return v() + kPoints * kChunk * in; }

  const Kernels &kernels;
  Tiles tiles;
  Map x_map, dy_map;
  int64_t in, out;
  const float *x, *dy;
  float *sums;
  at::Tensor rooms;
};

// together has the threads share each chunk.
void together(const Sums &s) {
  for (int64_t start = 0; start < s.tiles.count; start += kChunk) {
    const int64_t end = std::min(start + kChunk, s.tiles.count);
    at::parallel_for(start, end, 8, [&](int64_t from, int64_t to) { s.transform(from, to, start, end - start); });
    at::parallel_for(0, kPoints, 1, [&](int64_t from, int64_t to) { s.add(from, to, end - start, start == 0); });
  }
}

// apart has each thread add up chunks of its own, so that none waits for another.
void apart(const at::Tensor &x, const at::Tensor &dy, const at::Tensor &sums) {
  const int64_t chunks = (tiles_of(x).count + kChunk - 1) / kChunk, parts = sums.size(0);
  at::parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; part++) {
      const Sums s(x, dy, sums.data_ptr<float>() + part * sums.size(1));
      const int64_t begin = chunks * part / parts * kChunk, end = std::min(chunks * (part + 1) / parts * kChunk, s.tiles.count);
      for (int64_t from = begin; from < end; from += kChunk) {
        const int64_t to = std::min(from + kChunk, end);
        s.transform(from, to, from, to - from);
        s.add(0, kPoints, to - from, from == begin);
      }
    }
  });
  for (int64_t part = 1; part < parts; part++) sums[0].add_(sums[part]);
}

// weight_gradient is that of weights [out,in,3,3].
at::Tensor weight_gradient(const at::Tensor &x, const at::Tensor &dy) {
  const int64_t in = x.size(1), out = dy.size(1), size = kPoints * in * out, chunks = (tiles_of(x).count + kChunk - 1) / kChunk;
  const bool small = size <= 1 << 18;  // sums fit into a thread's second cache
  const int64_t parts = small ? std::min<int64_t>(at::get_num_threads(), chunks) : 1;
  const at::Tensor sums = room(x, parts * size).view({parts, size});
  if (small) {
    apart(x, dy, sums);
  } else {
    together(Sums(x, dy, sums.data_ptr<float>()));
  }
  const at::Tensor g = at::empty({out, in, 3, 3}, x.options(), at::MemoryFormat::ChannelsLast);
  const Kernels &kernels = *kernels_for(in, out);
  at::parallel_for(0, in / kernels.lanes, 1, [&](int64_t from, int64_t to) { kernels.contract(sums.data_ptr<float>(), in, out, from, to, g.data_ptr<float>()); });
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

// pays says whether it is faster: there are tiles enough for what the weights take.
bool pays(const at::Tensor &x, const at::Tensor &weight) {
  return kernels_for(weight.size(1), weight.size(0)) != nullptr && tiles_of(x).count >= 48;
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
#ifdef WINOGRAD
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

// Winograd is a convolution of 3x3 with stride 1 by Winograd's algorithm (gotorch/shim/winograd.cc says how), of maps in
// ONNX Runtime's blocked layout [N,C/L,H,W,L], with what ends it done on the way out.

#include "winograd.h"

#include <algorithm>
#include <array>
#include <utility>

#include "op.h"
#include "register.h"

namespace {

using namespace winograd;

// Kernels are what winograd_kernels.h has, which says what each does.
struct Kernels {
  int64_t lanes, plane, group, few;
  void (*read)(const Map &, const Tiles &, int64_t block, int64_t from, int64_t n, const float *x, float *v);
  void (*write)(const Map &, const Tiles &, int64_t block, int64_t from, int64_t n, const float *m, const Ends &, float *y);
  void (*expand)(const float *g, int64_t in, float *u, bool ahead);
  void (*const *multiply[2])(const float *v, const float *u, int64_t in, float *m, bool fresh, const float *next, int64_t apart);  // of 1 and 2 blocks, for 1 and more tiles
  void (*const *expand_and_multiply)(const float *v, const float *g, int64_t in, float *m);                                       // for 1 and more tiles
};

#ifdef WINOGRAD

#pragma GCC push_options
#pragma GCC target("avx512f,fma")
namespace avx512 {
constexpr int kLanes = 16, kRegisters = 32;
#include "winograd_tiles.h"
#include "winograd_kernels.h"
}  // namespace avx512
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
constexpr int kLanes = 8, kRegisters = 16;
#include "winograd_tiles.h"
#include "winograd_kernels.h"
}  // namespace avx2
#pragma GCC pop_options

// kernels_of are those for blocks of so many channels, null where this processor has none.
const Kernels *kernels_of(int64_t lanes) {
  static const bool fused = __builtin_cpu_supports("fma");
  static const bool has512 = fused && __builtin_cpu_supports("avx512f"), has2 = fused && __builtin_cpu_supports("avx2");
  if (lanes == 16 && has512) return &avx512::kernels;
  if (lanes == 8 && has2) return &avx2::kernels;
  return nullptr;
}

#else

const Kernels *kernels_of(int64_t) { return nullptr; }

#endif

}  // namespace

namespace kernels {
namespace {

// Groups are tiles [from,to) in lots of nearly the same size, as many as a kernel takes.
struct Groups {
  Groups(int64_t from, int64_t to, int64_t most) : from(from), tiles(to - from), count((tiles + most - 1) / most) {}

  int64_t begin(int64_t i) const { return from + tiles * i / count; }
  int64_t size(int64_t i) const { return begin(i + 1) - begin(i); }

  int64_t from, tiles, count;
};

struct Job {
  ort::Status *compute(const ort::Context *context) const {
    if (tiles.count <= 2 * k.few) return few_tiles(context);
    // What is made first, all threads take, so that it is what is smaller.
    if (tiles.count > out && in * out <= kWeights) return weights_first(context);
    const int64_t parts = (tiles.count + kTiles - 1) / kTiles;
    ort::Status *status = nullptr;
    for (int64_t i = 0; i < parts && status == nullptr; i++) {
      status = tiles_first(context, Groups(tiles.count * i / parts, tiles.count * (i + 1) / parts, k.group));
    }
    return status;
  }

  // weights_first has each thread take groups of tiles through to the end.
  ort::Status *weights_first(const ort::Context *context) const {
    const Groups groups(0, tiles.count, k.group);
    const int64_t expanded = kPoints * k.plane * in;  // of a block
    const Room u(allocator, expanded * (out / k.lanes));
    ort::Status *status = parallel(context, out / k.lanes, [&](int64_t o) { k.expand(weights(o, 0), in, u.data + expanded * o, true); });
    if (status != nullptr) return status;
    return parallel(context, groups.count, [&](int64_t i) {
      const int64_t n = groups.size(i);
      const Room v(allocator, kPoints * in * n), m(allocator, kPoints * 2 * k.lanes * n);
      for (int64_t c = 0; c < in / k.lanes; c++) read(groups, i, c, v.data);
      for (int64_t o = 0; o < out / k.lanes; o += 2) {
        multiply(o, n, v.data, u.data + expanded * o, in, m.data, true, nullptr);
        write(groups, i, o, m.data);
      }
    });
  }

  // tiles_first has each thread take pairs of blocks of output channels through to the end.
  ort::Status *tiles_first(const ort::Context *context, const Groups &groups) const {
    const Room v(allocator, kPoints * in * groups.tiles);
    const auto transformed = [&](int64_t i) { return v.data + kPoints * in * (groups.begin(i) - groups.from); };
    ort::Status *status = parallel(context, groups.count * in / k.lanes, [&](int64_t i) { read(groups, i % groups.count, i / groups.count, transformed(i % groups.count)); });
    if (status != nullptr) return status;
    const int64_t depth = std::min(in, kDepth);
    return parallel(context, (out / k.lanes + 1) / 2, [&](int64_t pair) {
      const int64_t o = 2 * pair;
      const Room u(allocator, kPoints * 2 * k.plane * depth), m(allocator, kPoints * 2 * k.lanes * groups.tiles);
      const auto products = [&](int64_t i) { return m.data + kPoints * 2 * k.lanes * (groups.begin(i) - groups.from); };
      for (int64_t c = 0; c < in; c += depth) {
        const int64_t n = std::min(depth, in - c);
        const float *next = c + n < in ? weights(o, c + n) : weights(o + 2, 0);
        for (int64_t b = 0; b < blocks(o); b++) k.expand(weights(o + b, c), n, u.data + kPoints * k.plane * n * b, false);
        for (int64_t i = 0; i < groups.count; i++) {
          multiply(o, groups.size(i), transformed(i) + kPoints * groups.size(i) * c, u.data, n, products(i), c == 0, i == 0 ? next : nullptr);
        }
      }
      for (int64_t i = 0; i < groups.count; i++) write(groups, i, o, products(i));
    });
  }

  // few_tiles takes weights as they are: to expand them apart would take longer than all else.
  ort::Status *few_tiles(const ort::Context *context) const {
    const Groups groups(0, tiles.count, k.few);
    const Room v(allocator, kPoints * in * tiles.count);
    const auto transformed = [&](int64_t i) { return v.data + kPoints * in * groups.begin(i); };
    for (int64_t i = 0; i < groups.count; i++) {
      for (int64_t c = 0; c < in / k.lanes; c++) read(groups, i, c, transformed(i));
    }
    return parallel(context, out / k.lanes, [&](int64_t o) {
      const Room m(allocator, kPoints * k.lanes * k.few);
      for (int64_t i = 0; i < groups.count; i++) {
        k.expand_and_multiply[groups.size(i) - 1](transformed(i), weights(o, 0), in, m.data);
        k.write(to, tiles, o, groups.begin(i), groups.size(i), m.data, ends, y);
      }
    });
  }

  const float *weights(int64_t block, int64_t channel) const { return w + kTaps * k.lanes * (in * block + channel); }

  int64_t blocks(int64_t o) const { return std::min<int64_t>(2, out / k.lanes - o); }

  void read(const Groups &groups, int64_t i, int64_t block, float *v) const {
    k.read(from, tiles, block, groups.begin(i), groups.size(i), x, v + kPoints * k.lanes * groups.size(i) * block);
  }

  void multiply(int64_t o, int64_t n, const float *v, const float *u, int64_t depth, float *m, bool fresh, const float *next) const {
    k.multiply[blocks(o) - 1][n - 1](v, u, depth, m, fresh, next, kTaps * k.lanes * in);
  }

  void write(const Groups &groups, int64_t i, int64_t o, const float *m) const {
    const int64_t n = groups.size(i);
    for (int64_t b = 0; b < blocks(o); b++) k.write(to, tiles, o + b, groups.begin(i), n, m + kPoints * k.lanes * n * b, ends, y);
  }

  // What the second cache holds beside the rest: weights of in·out, tiles, and input channels.
  static constexpr int64_t kWeights = 1 << 14, kTiles = 128, kDepth = 32;

  const Kernels &k;
  ort::Allocator *allocator;
  Map from, to;
  Tiles tiles;
  Ends ends;
  int64_t in, out;
  const float *x, *w;
  float *y;
};

struct Winograd {
  static constexpr const char *name = "Winograd";
  static constexpr size_t inputs = 5, required = 2;  // x, weights [out/L,in/L,3,3,L,L], bias, sum, gate
  static constexpr int inplace = 3;

  explicit Winograd(const ort::Info *info)
      : k(*kernels_of(attribute(info, "lanes"))), allocator(info), relu(attribute(info, "relu") != 0), top(attribute(info, "top")), left(attribute(info, "left")),
        bottom(attribute(info, "bottom")), right(attribute(info, "right")) {}

  ort::Status *compute(ort::Context *context) const {
    const Tensor x = input(context, 0), w = input(context, 1);
    const int64_t images = x.dims[0], in = x.dims[1], out = w.dims[0];
    const Map from = map(in, x.dims[2], x.dims[3]), to = map(out, from.height + top + bottom - 2, from.width + left + right - 2);
    const int64_t down = (to.height + 3) / 4, across = (to.width + 3) / 4;
    const int64_t dims[] = {images, out, to.height, to.width};
    return Job{k,
               allocator.get(),
               from,
               to,
               {down, across, images * down * across, top, left},
               {input(context, 2).data, input(context, 3).data, input(context, 4).data, relu},
               in,
               out,
               x.data,
               w.data,
               output(context, 0, dims, 4)}
        .compute(context);
  }

  Map map(int64_t channels, int64_t height, int64_t width) const {
    return {height, width, channels * height * width, height * width * k.lanes, width * k.lanes, k.lanes};
  }

  const Kernels &k;
  Allocator allocator;
  bool relu;
  int64_t top, left, bottom, right;
};

}  // namespace

const ort::CustomOp *const winograd_op = &op<Winograd>;

}  // namespace kernels

// kernels_supports says whether there are kernels for this processor, and for blocks of so many channels.
int kernels_supports(int lanes) { return kernels_of(lanes) != nullptr; }

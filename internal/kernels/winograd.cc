// Winograd is a convolution of 3x3 with stride 1 by Winograd's algorithm (gotorch/shim/winograd.cc says how), of maps in
// ONNX Runtime's blocked layout [N,C/L,H,W,L], with what ends it done on the way out. Its kernels are for GCC on x86;
// elsewhere there are none.

#include <algorithm>

#include "op.h"
#include "register.h"

namespace {

constexpr int64_t kPoints = 36;  // of a tile of 6x6
constexpr int64_t kChunk = 24;   // tiles at a time: what is made of them stays in the second cache

struct Tiles {
  int64_t height, width, down, across, count;
  int64_t pixel, block;  // how far apart pixels are, and blocks of channels
};

// What follows the sum: + bias + sum, then the larger of that and 0, then 0 where gate is not positive.
struct Ends {
  const float *bias, *sum, *gate;
  bool relu;
};

struct Kernels {
  int64_t lanes;
  void (*read)(const Tiles &, const float *x, int64_t channels, int64_t low, int64_t high, int64_t from, int64_t to, float *v, int64_t rows);
  void (*write)(const Tiles &, const float *m, const Ends &, int64_t channels, int64_t low, int64_t high, int64_t from, int64_t to, float *y, int64_t rows);
  void (*forward)(const float *a, const float *b, float *c, int64_t in, int64_t vectors, int64_t rows);
  void (*expand)(const float *g, int64_t in, int64_t out, float *u);
};

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

#define GT_INLINE __attribute__((always_inline)) static inline

#pragma GCC push_options
#pragma GCC target("avx512f,fma")
namespace avx512 {
constexpr int kLanes = 16, kRows = 24;
#include "winograd_kernels.h"
}  // namespace avx512
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
constexpr int kLanes = 8, kRows = 12;
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

struct Winograd {
  static constexpr const char *name = "Winograd";
  static constexpr size_t inputs = 5, required = 2;  // x, weights, bias, sum, gate
  static constexpr int inplace = 3;

  explicit Winograd(const ort::Info *info) : relu(attribute(info, "relu") != 0) {}

  ort::Status *compute(ort::Context *context) const {
    const Tensor x = input(context, 0), u = input(context, 1);
    const Kernels &k = *kernels_of(u.dims[3]);
    const int64_t in = x.dims[1], height = x.dims[2], width = x.dims[3], out = u.dims[1] * k.lanes;
    const int64_t down = (height + 3) / 4, across = (width + 3) / 4;
    const Tiles tiles{height, width, down, across, x.dims[0] * down * across, k.lanes, height * width * k.lanes};
    const Ends ends{input(context, 2).data, input(context, 3).data, input(context, 4).data, relu};
    const int64_t dims[4] = {x.dims[0], out, height, width};
    const Job job{k, tiles, ends, x.data, u.data, output(context, 0, dims, 4), in, out};
    const int64_t chunks = (tiles.count + kChunk - 1) / kChunk;
    if (chunks < 4) return job.staged(context);
    return parallel(context, chunks, [&](int64_t i) { job.chunk(tiles.count * i / chunks, tiles.count * (i + 1) / chunks); });
  }

  struct Job {
    const Kernels &k;
    const Tiles &tiles;
    const Ends &ends;
    const float *x, *u;
    float *y;
    int64_t in, out;

    // chunk computes tiles [from,to) on one thread.
    void chunk(int64_t from, int64_t to) const {
      const int64_t rows = to - from;
      float *v = room(kPoints * rows * (in + out)), *m = v + kPoints * rows * in;
      k.read(tiles, x, in, 0, in / k.lanes, from, to, v, rows);
      for (int64_t p = 0; p < kPoints; p++) product(p, v, m, rows);
      k.write(tiles, m, ends, out, 0, out / k.lanes, from, to, y, rows);
    }

    // staged computes all tiles, the threads sharing each stage.
    ort::Status *staged(const ort::Context *context) const {
      const int64_t rows = tiles.count;
      float *v = room(kPoints * rows * (in + out)), *m = v + kPoints * rows * in;
      ort::Status *s = parallel(context, in / k.lanes, [&](int64_t c) { k.read(tiles, x, in, c, c + 1, 0, rows, v, rows); });
      if (s == nullptr) s = parallel(context, kPoints, [&](int64_t p) { product(p, v, m, rows); });
      if (s == nullptr) s = parallel(context, out / k.lanes, [&](int64_t c) { k.write(tiles, m, ends, out, c, c + 1, 0, rows, y, rows); });
      return s;
    }

    void product(int64_t p, const float *v, float *m, int64_t rows) const {
      for (int64_t o = 0; o < out;) {
        const int64_t vectors = out - o >= 2 * k.lanes ? 2 : 1;
        k.forward(v + p * rows * in, u + p * out * in + o * in, m + p * rows * out + o * rows, in, vectors, rows);
        o += vectors * k.lanes;
      }
    }
  };

  bool relu;
};

}  // namespace

const ort::CustomOp *const winograd_op = &op<Winograd>;

}  // namespace kernels

// kernels_expand makes the operator's weights u [36,out/L,in,L] of those of a convolution in ONNX Runtime's layout [out/L,in/L,9,L,L].
void kernels_expand(int lanes, const float *weights, int out, int in, float *u) { kernels_of(lanes)->expand(weights, in, out, u); }

// kernels_supports says whether there are kernels for this processor, and for blocks of so many channels.
int kernels_supports(int lanes) { return kernels_of(lanes) != nullptr; }

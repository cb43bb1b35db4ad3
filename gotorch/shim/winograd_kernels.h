// The kernels of winograd.cc, which includes it once for each instruction set, behind winograd_tiles.h, with how many
// registers there are.

// How many rows of a product the registers hold the sums of.
constexpr int kRows = kRegisters * 3 / 4;

// The matrices between are in blocks of L = kLanes channels, each one vector a row:
// [channels/L,rows,L]. Of each there are 36 one after the other.

// read transforms all channels of tiles [from,to) of x; v begins at their row of the matrices.
template <int side>
void read(const Map &map, const Tiles &tiles, const float *x, int64_t channels, int64_t from, int64_t to, float *v, int64_t rows) {
  read_tiles<side>(map, tiles, 0, channels / kLanes, from, to, x, v, rows, rows * channels / kLanes);
}

// write writes Aᵀ m A + bias to tiles [from,to) of y.
void write(const Map &map, const Tiles &tiles, const float *m, const float *bias, int64_t channels, int64_t from, int64_t to, float *y) {
  const int64_t rows = to - from;
  write_tiles(map, tiles, 0, channels / kLanes, from, to, m, rows, rows * channels / kLanes, {bias, nullptr, nullptr, false}, y);
}

// forward_rows replaces rows of c, of vectors blocks, in lots, by those of a [in/L,rows,L] times
// the blocks of b [blocks,in,L], and advances past what it has done.
template <int lot, int vectors>
WINOGRAD_INLINE void forward_rows(const float *a, const float *b, float *c, int64_t in, int64_t rows, int64_t &done) {
  for (; done + lot <= rows; done += lot) {
    product<lot, vectors, kLanes, 1>(a + done * kLanes, kLanes, in / kLanes, rows * kLanes, b, kLanes * kLanes, in * kLanes,
                                     c + done * kLanes, rows * kLanes, true);
  }
}

// forward makes c [out/L,rows,L] of a [in/L,rows,L] and b [out/L,in,L].
void forward(const float *a, const float *b, float *c, int64_t in, int64_t out, int64_t rows) {
  for (int64_t o = 0; o < out;) {
    int64_t done = 0;
    if (out - o >= 2 * kLanes) {
      forward_rows<kRows / 2, 2>(a, b + o * in, c + o * rows, in, rows, done);
      forward_rows<kRows / 6, 2>(a, b + o * in, c + o * rows, in, rows, done);
      forward_rows<1, 2>(a, b + o * in, c + o * rows, in, rows, done);
      o += 2 * kLanes;
    } else {
      forward_rows<kRows, 1>(a, b + o * in, c + o * rows, in, rows, done);
      forward_rows<kRows / 3, 1>(a, b + o * in, c + o * rows, in, rows, done);
      forward_rows<1, 1>(a, b + o * in, c + o * rows, in, rows, done);
      o += kLanes;
    }
  }
}

// outer adds to c [out/L,in,L], or with fresh replaces it by, the transpose of a [in/L,rows,L]
// times b [out/L,rows,L].
void outer(const float *a, const float *b, float *c, int64_t in, int64_t out, int64_t rows, bool fresh) {
  constexpr int lot = kLanes / 2;
  for (int64_t o = 0; o < out;) {
    const bool two = out - o >= 2 * kLanes;
    for (int64_t i = 0; i < in; i += lot) {
      const float *column = a + i / kLanes * rows * kLanes + i % kLanes;
      const auto f = two ? product<lot, 2, 1, kLanes> : product<lot, 1, 1, kLanes>;
      f(column, rows, 1, 0, b + o * rows, 0, rows * kLanes, c + o * in + i * kLanes, in * kLanes, fresh);
    }
    o += two ? 2 * kLanes : kLanes;
  }
}

// transpose makes rows of lanes.
WINOGRAD_INLINE void transpose(vec *m) {
  typedef int index __attribute__((vector_size(4 * kLanes)));
#pragma GCC unroll 4
  for (int step = 1; step < kLanes; step *= 2) {
    index upper, lower;
#pragma GCC unroll 16
    for (int l = 0; l < kLanes; l++) {
      upper[l] = l & step ? kLanes + l - step : l;
      lower[l] = l & step ? kLanes + l : l + step;
    }
#pragma GCC unroll 16
    for (int r = 0; r < kLanes; r++) {
      if (r & step) continue;
      const vec a = m[r], b = m[r + step];
      m[r] = __builtin_shuffle(a, b, upper);
      m[r + step] = __builtin_shuffle(a, b, lower);
    }
  }
}

// expand writes G g Gᵀ to u [out/L,in,L] of weights g [out,9,in], or with back of g [in,9,out],
// turned. It does the blocks of input channels [from,to).
void expand(const float *g, bool back, int64_t in, int64_t out, int64_t from, int64_t to, float *u) {
  const int64_t plane = out * in / kLanes;
  for (int64_t i = from * kLanes; i < to * kLanes; i += kLanes) {
    for (int64_t o = 0; o < out; o += kLanes) {
      vec taps[9][kLanes];  // of each input channel
      for (int64_t t = 0; t < 9; t++) {
        for (int64_t r = 0; r < kLanes; r++) taps[t][r] = load(back ? g + ((i + r) * 9 + 8 - t) * out + o : g + ((o + r) * 9 + t) * in + i);
        if (!back) transpose(taps[t]);
      }
      vec *into = (vec *)(u + o * in + i * kLanes);
      for (int64_t r = 0; r < kLanes; r++) expand_taps(&taps[0][r], kLanes, into + r, plane);
    }
  }
}

// contract writes Gᵀ u G of u [out/L,in,L] to the gradient g [out,9,in] of the weights.
void contract(const float *u, int64_t in, int64_t out, int64_t from, int64_t to, float *g) {
  const int64_t plane = out * in / kLanes;
  for (int64_t i = from * kLanes; i < to * kLanes; i += kLanes) {
    for (int64_t o = 0; o < out; o += kLanes) {
      const vec *all = (const vec *)(u + o * in + i * kLanes);
      vec taps[9][kLanes];  // of each input channel, and then of each output channel
      for (int64_t r = 0; r < kLanes; r++) {
        vec half[18];
        for (int64_t j = 0; j < 6; j++) by_g_transposed(all + r + j * plane, 6 * plane, half + j, 6);
        for (int64_t k = 0; k < 3; k++) by_g_transposed(half + k * 6, 1, &taps[k * 3][r], kLanes);
      }
      for (int64_t t = 0; t < 9; t++) {
        transpose(taps[t]);
        for (int64_t r = 0; r < kLanes; r++) store(g + ((o + r) * 9 + t) * in + i, taps[t][r]);
      }
    }
  }
}

constexpr Kernels kernels = {kLanes, read<6>, read<4>, write, forward, outer, expand, contract};

// The kernels of winograd.cc, for vectors of kLanes channels. It includes this once for each
// instruction set, in a namespace of its own, with the most rows of a product whose sums
// the registers hold, kRows.

typedef float vec __attribute__((vector_size(4 * kLanes), aligned(4)));

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

// A tile of a map of channels: where it begins and how much of it is inside of the map.
struct Place {
  int64_t image, top, left;
};

GT_INLINE Place place_of(const Tiles &tiles, int64_t t, int64_t pad) {
  const int64_t within = t % (tiles.down * tiles.across);
  return {t / (tiles.down * tiles.across), within / tiles.across * 4 - pad, within % tiles.across * 4 - pad};
}

// fetch asks for 4x4 places of a map, to read (0) or to write (1): the processor does not foresee
// that they follow.
template <int write>
GT_INLINE void fetch(const float *x, int64_t row, int64_t column) {
  for (int64_t i = 0; i < 4; i++) {
    for (int64_t j = 0; j < 4; j++) __builtin_prefetch(x + i * row + j * column, write);
  }
}

// read_tile writes Bᵀ d B (side 6) or A d Aᵀ (side 4) of kLanes channels of the tile at x to v, whose
// points are plane vectors apart. Unless it is whole, the map has only the rows and columns
// in between, and zeros outside.
template <int side, bool whole>
GT_INLINE void read_tile(const float *x, int64_t row, int64_t column, int64_t top, int64_t bottom, int64_t left, int64_t right,
                         vec *v, int64_t plane) {
  vec half[6 * side];
#pragma GCC unroll 6
  for (int64_t j = 0; j < side; j++) {
    vec d[side];
    const bool inside = whole || (left <= j && j < right);
#pragma GCC unroll 6
    for (int64_t i = 0; i < side; i++) d[i] = whole || (inside && top <= i && i < bottom) ? load(x + i * row + j * column) : vec{};
    side == 6 ? by_b(d, 1, half + j, side) : by_a(d, 1, half + j, side);
  }
#pragma GCC unroll 6
  for (int64_t i = 0; i < 6; i++) {
    side == 6 ? by_b(half + i * side, 1, v + i * 6 * plane, plane) : by_a(half + i * side, 1, v + i * 6 * plane, plane);
  }
}

// The matrices between are in blocks of L = kLanes channels, each one vector a row:
// [channels/L,rows,L]. Of each there are 36 one after the other.

// read does so for all channels of tiles [from,to) of x; v begins at their row of the matrices.
template <int side>
void read(const Tiles &tiles, const float *x, int64_t channels, int64_t from, int64_t to, float *v, int64_t rows) {
  const int64_t row = tiles.width * channels, plane = rows * channels / kLanes;
  for (int64_t t = from; t < to; t++) {
    const Place at = place_of(tiles, t, side == 6);
    const int64_t top = std::max<int64_t>(0, -at.top), bottom = std::min<int64_t>(side, tiles.height - at.top);
    const int64_t left = std::max<int64_t>(0, -at.left), right = std::min<int64_t>(side, tiles.width - at.left);
    const bool whole = top == 0 && left == 0 && bottom == side && right == side;
    const float *corner = x + (at.image * tiles.height + at.top) * row + at.left * channels;
    vec *out = (vec *)v + (t - from);
    for (int64_t c = 0; c < channels; c += kLanes, out += rows) {
      fetch<0>(corner + (side * row + (side == 6) * channels) + c, row, channels);  // of the tile below
      if (whole) {
        read_tile<side, true>(corner + c, row, channels, top, bottom, left, right, out, plane);
      } else {
        read_tile<side, false>(corner + c, row, channels, top, bottom, left, right, out, plane);
      }
    }
  }
}

// write writes Aᵀ m A + bias to tiles [from,to) of y.
void write(const Tiles &tiles, const float *m, const float *bias, int64_t channels, int64_t from, int64_t to, float *y) {
  const int64_t row = tiles.width * channels, rows = to - from, plane = rows * channels / kLanes;
  for (int64_t t = from; t < to; t++) {
    const Place at = place_of(tiles, t, 0);
    const int64_t down = std::min<int64_t>(4, tiles.height - at.top), across = std::min<int64_t>(4, tiles.width - at.left);
    float *corner = y + (at.image * tiles.height + at.top) * row + at.left * channels;
    const vec *in = (const vec *)m + (t - from);
    for (int64_t c = 0; c < channels; c += kLanes, in += rows) {
      fetch<1>(corner + 4 * 4 * channels + c, row, channels);  // four tiles on
      const vec shift = bias != nullptr ? load(bias + c) : vec{};
      vec half[24];
#pragma GCC unroll 6
      for (int64_t j = 0; j < 6; j++) by_a_transposed(in + j * plane, 6 * plane, half + j, 6);
#pragma GCC unroll 4
      for (int64_t i = 0; i < 4; i++) {
        vec out[4];
        by_a_transposed(half + i * 6, 1, out, 1);
#pragma GCC unroll 4
        for (int64_t j = 0; j < 4; j++) {
          if (i < down && j < across) store(corner + i * row + j * channels + c, out[j] + shift);
        }
      }
    }
  }
}

// product adds to rows of vectors in blocks cv apart, or with fresh replaces them by, the product of a,
// whose element (r,k) is at a[r·ar + k·ak], k below depth, and then again jump behind, and
// of b, a row for each k, in blocks bv apart.
template <int rows, int vectors, int ar, int ak>
void product(const float *a, int64_t depth, int64_t times, int64_t jump, const float *b, int64_t bv, float *c, int64_t cv, bool fresh) {
  vec sum[rows][vectors];
#pragma GCC unroll 24
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
    for (int i = 0; i < vectors; i++) sum[r][i] = fresh ? vec{} : load(c + i * cv + r * kLanes);
  }
  for (; times > 0; times--, a += jump) {
    const float *f = a;
    for (int64_t k = 0; k < depth; k++, f += ak, b += kLanes) {
      vec row[vectors];
#pragma GCC unroll 2
      for (int i = 0; i < vectors; i++) row[i] = load(b + i * bv);
#pragma GCC unroll 24
      for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (int i = 0; i < vectors; i++) sum[r][i] += f[r * ar] * row[i];
      }
    }
  }
#pragma GCC unroll 24
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
    for (int i = 0; i < vectors; i++) store(c + i * cv + r * kLanes, sum[r][i]);
  }
}

// forward_rows replaces rows of c, of vectors blocks, in lots, by those of a [in/L,rows,L] times
// the blocks of b [blocks,in,L], and advances past what it has done.
template <int lot, int vectors>
GT_INLINE void forward_rows(const float *a, const float *b, float *c, int64_t in, int64_t rows, int64_t &done) {
  for (; done + lot <= rows; done += lot) {
    product<lot, vectors, kLanes, 1>(a + done * kLanes, kLanes, in / kLanes, rows * kLanes, b, in * kLanes, c + done * kLanes,
                                     rows * kLanes, true);
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
      f(column, rows, 1, 0, b + o * rows, rows * kLanes, c + o * in + i * kLanes, in * kLanes, fresh);
    }
    o += two ? 2 * kLanes : kLanes;
  }
}

// transpose makes rows of lanes.
GT_INLINE void transpose(vec *m) {
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
      for (int64_t r = 0; r < kLanes; r++) {
        vec half[18];
        for (int64_t j = 0; j < 3; j++) by_g(&taps[j][r], 3 * kLanes, half + j, 3);
        for (int64_t k = 0; k < 6; k++) by_g(half + k * 3, 1, into + r + k * 6 * plane, plane);
      }
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

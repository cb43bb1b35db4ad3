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

// read does so for blocks [low,high) of channels of tiles [from,to) of x; v begins at their row of the matrices.
void read(const Tiles &tiles, const float *x, int64_t channels, int64_t low, int64_t high, int64_t from, int64_t to, float *v, int64_t rows) {
  const int64_t row = tiles.width * tiles.pixel, plane = rows * channels / kLanes;
  for (int64_t t = from; t < to; t++) {
    const Place at = place_of(tiles, t, 1);
    const int64_t top = std::max<int64_t>(0, -at.top), bottom = std::min<int64_t>(6, tiles.height - at.top);
    const int64_t left = std::max<int64_t>(0, -at.left), right = std::min<int64_t>(6, tiles.width - at.left);
    const bool whole = top == 0 && left == 0 && bottom == 6 && right == 6;
    const float *corner = x + at.image * tiles.height * tiles.width * channels + at.top * row + at.left * tiles.pixel + low * tiles.block;
    vec *out = (vec *)v + (t - from) + low * rows;
    for (int64_t c = low; c < high; c++, out += rows, corner += tiles.block) {
      fetch<0>(corner + 6 * row + tiles.pixel, row, tiles.pixel);  // of the tile below
      if (whole) {
        read_tile<6, true>(corner, row, tiles.pixel, top, bottom, left, right, out, plane);
      } else {
        read_tile<6, false>(corner, row, tiles.pixel, top, bottom, left, right, out, plane);
      }
    }
  }
}

GT_INLINE vec positive(vec v) { return v > vec{} ? v : vec{}; }

// write writes what ends makes of A'mA to blocks [low,high) of tiles [from,to) of y.
void write(const Tiles &tiles, const float *m, const Ends &ends, int64_t channels, int64_t low, int64_t high, int64_t from, int64_t to, float *y, int64_t rows) {
  const int64_t row = tiles.width * tiles.pixel, plane = rows * channels / kLanes;
  for (int64_t t = from; t < to; t++) {
    const Place at = place_of(tiles, t, 0);
    const int64_t down = std::min<int64_t>(4, tiles.height - at.top), across = std::min<int64_t>(4, tiles.width - at.left);
    int64_t corner = at.image * tiles.height * tiles.width * channels + at.top * row + at.left * tiles.pixel + low * tiles.block;
    const vec *in = (const vec *)m + (t - from) + low * rows;
    for (int64_t c = low; c < high; c++, in += rows, corner += tiles.block) {
      const vec shift = ends.bias != nullptr ? load(ends.bias + c * kLanes) : vec{};
      vec half[24];
#pragma GCC unroll 6
      for (int64_t j = 0; j < 6; j++) by_a_transposed(in + j * plane, 6 * plane, half + j, 6);
#pragma GCC unroll 4
      for (int64_t i = 0; i < 4; i++) {
        vec out[4];
        by_a_transposed(half + i * 6, 1, out, 1);
        if (i >= down) break;
#pragma GCC unroll 4
        for (int64_t j = 0; j < 4; j++) {
          if (j >= across) break;
          const int64_t at = corner + i * row + j * tiles.pixel;
          vec v = out[j] + shift;
          if (ends.sum != nullptr) v += load(ends.sum + at);
          if (ends.relu) v = positive(v);
          if (ends.gate != nullptr) v = load(ends.gate + at) > vec{} ? v : vec{};
          store(y + at, v);
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

// forward_block is forward for one or two blocks of out.
void forward_block(const float *a, const float *b, float *c, int64_t in, int64_t vectors, int64_t rows) {
  int64_t done = 0;
  if (vectors == 2) {
    forward_rows<kRows / 2, 2>(a, b, c, in, rows, done);
    forward_rows<kRows / 6, 2>(a, b, c, in, rows, done);
    forward_rows<1, 2>(a, b, c, in, rows, done);
  } else {
    forward_rows<kRows, 1>(a, b, c, in, rows, done);
    forward_rows<kRows / 3, 1>(a, b, c, in, rows, done);
    forward_rows<1, 1>(a, b, c, in, rows, done);
  }
}

// expand writes G g G' to u [36][out/L,in,L] of weights [out/L,in/L,9,L,L] (in, then out).
void expand(const float *g, int64_t in, int64_t out, float *u) {
  const int64_t plane = out * in / kLanes;
  for (int64_t o = 0; o < out / kLanes; o++) {
    for (int64_t i = 0; i < in; i++) {
      const vec *taps = (const vec *)g + (o * (in / kLanes) + i / kLanes) * 9 * kLanes + i % kLanes;
      vec half[18];
      for (int64_t j = 0; j < 3; j++) by_g(taps + j * kLanes, 3 * kLanes, half + j, 3);
      for (int64_t k = 0; k < 6; k++) by_g(half + k * 3, 1, (vec *)u + o * in + i + k * 6 * plane, plane);
    }
  }
}

constexpr Kernels kernels = {kLanes, read, write, forward_block, expand};

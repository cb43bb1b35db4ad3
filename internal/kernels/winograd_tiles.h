// The transforms of Winograd's algorithm, for vectors of kLanes channels. It is included once for each instruction set,
// in a namespace of its own.

typedef float vec __attribute__((vector_size(4 * kLanes), aligned(4)));

WINOGRAD_INLINE vec load(const float *p) { return *(const vec *)p; }
WINOGRAD_INLINE void store(float *p, vec v) { *(vec *)p = v; }

// Each of these multiplies a column by one of the matrices. The rows of G are those of whole numbers, whose factors are in B's:
// weights are transformed more often than tiles where maps are small.
WINOGRAD_INLINE void by_b(const vec *d, int64_t step, vec *out, int64_t to) {
  const vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const vec even = d2 * (4.f / 6) - d4 * (1.f / 6), odd = d1 * (4.f / 6) - d3 * (1.f / 6), even2 = (d4 - d2) * (1.f / 24), odd2 = d3 - d1;
  out[0] = d0 - d2 * 1.25f + d4 * .25f;
  out[to] = even + odd;
  out[2 * to] = even - odd;
  out[3 * to] = even2 + odd2 * (1.f / 12);
  out[4 * to] = even2 - odd2 * (1.f / 12);
  out[5 * to] = 4 * d1 - 5 * d3 + d5;
}

WINOGRAD_INLINE void by_a_transposed(const vec *m, int64_t step, vec *out, int64_t to) {
  const vec s1 = m[step] + m[2 * step], t1 = m[step] - m[2 * step];
  const vec s2 = m[3 * step] + m[4 * step], t2 = m[3 * step] - m[4 * step];
  out[0] = m[0] + s1 + s2;
  out[to] = t1 + 2 * t2;
  out[2 * to] = s1 + 4 * s2;
  out[3 * to] = t1 + 8 * t2 + m[5 * step];
}

WINOGRAD_INLINE void by_a(const vec *y, int64_t step, vec *out, int64_t to) {
  const vec y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
  const vec even = y0 + y2, odd = y1 + y3, even2 = y0 + 4 * y2, odd2 = y1 + 4 * y3;
  out[0] = y0;
  out[to] = even + odd;
  out[2 * to] = even - odd;
  out[3 * to] = even2 + 2 * odd2;
  out[4 * to] = even2 - 2 * odd2;
  out[5 * to] = y3;
}

WINOGRAD_INLINE void by_g(const vec *g, int64_t step, vec *out, int64_t to) {
  const vec g0 = g[0], g1 = g[step], g2 = g[2 * step], s = g0 + g2, u = g0 + 4 * g2;
  out[0] = g0;
  out[to] = s + g1;
  out[2 * to] = s - g1;
  out[3 * to] = u + 2 * g1;
  out[4 * to] = u - 2 * g1;
  out[5 * to] = g2;
}

WINOGRAD_INLINE void by_g_transposed(const vec *u, int64_t step, vec *out, int64_t to) {
  const vec s1 = u[step] + u[2 * step], t1 = u[step] - u[2 * step], s2 = u[3 * step] + u[4 * step], t2 = u[3 * step] - u[4 * step];
  out[0] = u[0] + s1 + s2;
  out[to] = t1 + 2 * t2;
  out[2 * to] = s1 + 4 * s2 + u[5 * step];
}

// Where a tile begins in a map.
struct Place {
  int64_t image, top, left;
};

WINOGRAD_INLINE Place written(const Tiles &tiles, int64_t t) {
  const int64_t within = t % (tiles.down * tiles.across);
  return {t / (tiles.down * tiles.across), within / tiles.across * 4, within % tiles.across * 4};
}

WINOGRAD_INLINE Place taken(const Tiles &tiles, int64_t t) {
  const Place at = written(tiles, t);
  return {at.image, at.top - tiles.top, at.left - tiles.left};
}

WINOGRAD_INLINE int64_t offset(const Map &map, const Place &at, int64_t block) {
  return at.image * map.image + block * map.block + at.top * map.row + at.left * map.column;
}

// fetch asks for 4x4 places of a map, to read (0) or to write (1): the processor foresees them only where they are side by
// side.
template <int write>
WINOGRAD_INLINE void fetch(const float *x, int64_t row, int64_t column) {
  if (column == kLanes) return;
  for (int64_t i = 0; i < 4; i++) {
    for (int64_t j = 0; j < 4; j++) __builtin_prefetch(x + i * row + j * column, write);
  }
}

// read_tile writes Bᵀ d B (side 6) or A d Aᵀ (side 4) of a block of channels of the tile at x to v, whose points are plane
// vectors apart. Unless it is whole, the map has only the rows and columns in between, and zeros outside.
template <int side, bool whole>
WINOGRAD_INLINE void read_tile(const float *x, int64_t row, int64_t column, int64_t top, int64_t bottom, int64_t left, int64_t right,
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

// read_tiles does so for blocks [low,high) of channels of tiles [from,to), a vector of v each: tile by tile, and the blocks of
// a tile block vectors apart.
template <int side>
WINOGRAD_INLINE void read_tiles(const Map &map, const Tiles &tiles, int64_t low, int64_t high, int64_t from, int64_t to, const float *x, float *v,
                                int64_t block, int64_t plane) {
  for (int64_t t = from; t < to; t++) {
    const Place at = side == 6 ? taken(tiles, t) : written(tiles, t);
    const int64_t top = std::max<int64_t>(0, -at.top), bottom = std::min<int64_t>(side, map.height - at.top);
    const int64_t left = std::max<int64_t>(0, -at.left), right = std::min<int64_t>(side, map.width - at.left);
    const bool whole = top == 0 && left == 0 && bottom == side && right == side;
    const float *corner = x + offset(map, at, low);
    vec *out = (vec *)v + (t - from);
    for (int64_t b = low; b < high; b++, out += block, corner += map.block) {
      fetch<0>(corner + (side * map.row + (side == 6) * map.column), map.row, map.column);  // of the tile below
      if (whole) {
        read_tile<side, true>(corner, map.row, map.column, top, bottom, left, right, out, plane);
      } else {
        read_tile<side, false>(corner, map.row, map.column, top, bottom, left, right, out, plane);
      }
    }
  }
}

// write_tiles writes Aᵀ m A, with its ends, to blocks [low,high) of channels of tiles [from,to) of y.
WINOGRAD_INLINE void write_tiles(const Map &map, const Tiles &tiles, int64_t low, int64_t high, int64_t from, int64_t to, const float *m, int64_t block,
                                 int64_t plane, const Ends &ends, float *y) {
  for (int64_t t = from; t < to; t++) {
    const Place at = written(tiles, t);
    const int64_t down = std::min<int64_t>(4, map.height - at.top), across = std::min<int64_t>(4, map.width - at.left);
    int64_t corner = offset(map, at, low);
    const vec *in = (const vec *)m + (t - from);
    for (int64_t b = low; b < high; b++, in += block, corner += map.block) {
      fetch<1>(y + corner + 4 * 4 * map.column, map.row, map.column);  // four tiles on
      const vec bias = ends.bias != nullptr ? load(ends.bias + b * kLanes) : vec{};
      vec half[24];
#pragma GCC unroll 6
      for (int64_t j = 0; j < 6; j++) by_a_transposed(in + j * plane, 6 * plane, half + j, 6);
#pragma GCC unroll 4
      for (int64_t i = 0; i < 4; i++) {
        vec out[4];
        by_a_transposed(half + i * 6, 1, out, 1);
#pragma GCC unroll 4
        for (int64_t j = 0; j < 4; j++) {
          if (i >= down || j >= across) continue;
          const int64_t pixel = corner + i * map.row + j * map.column;
          vec v = out[j] + bias;
          if (ends.sum != nullptr) v += load(ends.sum + pixel);
          if (ends.relu) v = v > vec{} ? v : vec{};
          if (ends.gate != nullptr) v = load(ends.gate + pixel) > vec{} ? v : vec{};
          store(y + pixel, v);
        }
      }
    }
  }
}

// expand_rows writes rows of G g Gᵀ of an input channel to u, whose points are plane vectors apart; the taps of g are step vectors
// apart. Rows 1 and 2 have most of their sums in common, and so have 3 and 4.
template <int... row>
WINOGRAD_INLINE void expand_rows(const vec *g, int64_t step, vec *u, int64_t plane) {
  constexpr int rows[] = {row...}, count = sizeof...(row);
  vec half[count][3], column[6];
#pragma GCC unroll 3
  for (int j = 0; j < 3; j++) {
    by_g(g + j * step, 3 * step, column, 1);
#pragma GCC unroll 2
    for (int r = 0; r < count; r++) half[r][j] = column[rows[r]];
  }
#pragma GCC unroll 2
  for (int r = 0; r < count; r++) by_g(half[r], 1, u + rows[r] * 6 * plane, plane);
}

// expand_taps writes all of them, no more at a time than the registers hold.
WINOGRAD_INLINE void expand_taps(const vec *g, int64_t step, vec *u, int64_t plane) {
  expand_rows<0, 5>(g, step, u, plane);
  expand_rows<1, 2>(g, step, u, plane);
  expand_rows<3, 4>(g, step, u, plane);
}

// ask asks for so many numbers, to be brought into the second cache: the first has room for fewer that are on their way.
template <int numbers>
WINOGRAD_INLINE void ask(const float *p) {
#pragma GCC unroll 32
  for (int i = 0; i < numbers; i += 16) __builtin_prefetch(p + i, 0, 2);
}

// product adds to rows of vectors in blocks cv apart, or with fresh replaces them by, the product of a, whose element
// (r,k) is at a[r·ar + k·ak], k below depth, and of b, a row for each k, in blocks bv apart; and so many times, each
// next_a and next_b behind.
template <int rows, int vectors, int ar, int ak>
WINOGRAD_INLINE void product(const float *a, int64_t depth, int64_t times, int64_t next_a, const float *b, int64_t next_b, int64_t bv, float *c,
                             int64_t cv, bool fresh) {
  vec sum[rows][vectors];
#pragma GCC unroll 24
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
    for (int i = 0; i < vectors; i++) sum[r][i] = fresh ? vec{} : load(c + i * cv + r * kLanes);
  }
  for (; times > 0; times--, a += next_a, b += next_b) {
    const float *f = a, *g = b;
    for (int64_t k = 0; k < depth; k++, f += ak, g += kLanes) {
      vec row[vectors];
#pragma GCC unroll 2
      for (int i = 0; i < vectors; i++) row[i] = load(g + i * bv);
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

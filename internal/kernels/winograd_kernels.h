// The kernels of winograd.cc, which includes it once for each instruction set, behind winograd_tiles.h, with how many
// registers there are.
//
// The matrices between are of a group of tiles. With L = kLanes, tiles become v [in/L,36,tiles,L], weights
// u [blocks,in/L,36,L,L] (in, then out), and the products are m [blocks,36,tiles,L]. Of two blocks of m at a time, the
// registers hold all tiles of a group at a point.

constexpr int kGroup = (kRegisters - 4) / 2;

// read transforms a block of channels of n tiles of x.
void read(const Map &map, const Tiles &tiles, int64_t block, int64_t from, int64_t n, const float *x, float *v) {
  read_tiles<6>(map, tiles, block, block + 1, from, from + n, x, v, 0, n);
}

// write writes a block of channels of n tiles of y.
void write(const Map &map, const Tiles &tiles, int64_t block, int64_t from, int64_t n, const float *m, const Ends &ends, float *y) {
  write_tiles(map, tiles, block, block + 1, from, from + n, m, 0, n, ends, y);
}

// ask_ahead asks for a part of weights two blocks on, for each of the channels of this one at g: they come from memory, which is
// fastest from end to end, but the processor foresees only what is taken so.
WINOGRAD_INLINE void ask_ahead(const float *g, int64_t channel) { ask<kTaps * kLanes>(g + kTaps * kLanes * (2 * kLanes + channel)); }

// expand transforms weights g [in/L,9,L,L] of a block.
void expand(const float *g, int64_t in, float *u) {
  for (int64_t i = 0; i < in; i++) {
    const int64_t block = i / kLanes, within = i % kLanes;
    ask_ahead(g + block * kTaps * kLanes * kLanes, within);
    expand_taps((const vec *)g + block * kTaps * kLanes + within, kLanes, (vec *)u + block * kPoints * kLanes + within, kLanes);
  }
}

// multiply makes m of v and u, or without fresh adds it.
template <int n, int blocks>
void multiply(const float *v, const float *u, int64_t in, float *m, bool fresh) {
  constexpr int64_t row = n * kLanes, square = kLanes * kLanes;
  for (int64_t p = 0; p < kPoints; p++) {
    product<n, blocks, kLanes, 1, true>(v + p * row, kLanes, in / kLanes, kPoints * row, u + p * square, kPoints * square, kPoints * kLanes * in,
                                  m + p * row, kPoints * row, fresh);
  }
}

template <int blocks, int... n>
constexpr auto multiplies(std::integer_sequence<int, n...>) {
  return std::array{multiply<n + 1, blocks>...};
}

// expand_and_multiply makes m of one block of v of few tiles and weights g, so that the expanded weights are in registers
// alone.
constexpr int kFew = (kRegisters - 8) / 6;

// of_row does so for a row of the points and a block of input channels. In the first three rows it asks for the weights of the
// next.
template <int n, int row>
WINOGRAD_INLINE void of_row(const float *v, const float *g, float *m, bool fresh) {
  vec sum[6][n];
#pragma GCC unroll 24
  for (int i = 0; i < 6 * n; i++) sum[i / n][i % n] = fresh ? vec{} : load(m + i * kLanes);
  for (int64_t c = 0; c < kLanes; c++, v++, g += kLanes) {
    vec half[3], u[6];
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++) {
      if (row < 3) __builtin_prefetch(g + (kTaps + 3 * row + j) * kLanes * kLanes, 0, 2);
      vec column[6];
      by_g((const vec *)g + j * kLanes, 3 * kLanes, column, 1);
      half[j] = column[row];
    }
    by_g(half, 1, u, 1);
#pragma GCC unroll 24
    for (int i = 0; i < 6 * n; i++) sum[i / n][i % n] += v[i * kLanes] * u[i / n];
  }
#pragma GCC unroll 24
  for (int i = 0; i < 6 * n; i++) store(m + i * kLanes, sum[i / n][i % n]);
}

template <int n>
void expand_and_multiply(const float *v, const float *g, int64_t in, float *m) {
  constexpr int64_t row = 6 * n * kLanes;
  for (int64_t c = 0; c < in; c += kLanes, v += 6 * row, g += kTaps * kLanes * kLanes) {
    of_row<n, 0>(v, g, m, c == 0);
    of_row<n, 1>(v + row, g, m + row, c == 0);
    of_row<n, 2>(v + 2 * row, g, m + 2 * row, c == 0);
    of_row<n, 3>(v + 3 * row, g, m + 3 * row, c == 0);
    of_row<n, 4>(v + 4 * row, g, m + 4 * row, c == 0);
    of_row<n, 5>(v + 5 * row, g, m + 5 * row, c == 0);
  }
}

template <int... n>
constexpr auto expand_and_multiplies(std::integer_sequence<int, n...>) {
  return std::array{expand_and_multiply<n + 1>...};
}

constexpr auto one = multiplies<1>(std::make_integer_sequence<int, kGroup>()), two = multiplies<2>(std::make_integer_sequence<int, kGroup>());
constexpr auto few = expand_and_multiplies(std::make_integer_sequence<int, kFew>());

constexpr Kernels kernels = {kLanes, kGroup, kFew, read, write, expand, {one.data(), two.data()}, few.data()};

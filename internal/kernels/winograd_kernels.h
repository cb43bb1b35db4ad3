// The kernels of winograd.cc, which includes it once for each instruction set, behind winograd_tiles.h, with how many
// registers there are.
//
// The matrices between are of a group of tiles. With L = kLanes, tiles become v [in/L,36,tiles,L], weights
// u [blocks,in/L,36,kPlane,L] (in, then out), and the products are m [blocks,36,tiles,L]. Of two blocks of m at a time, the
// registers hold all tiles of a group at a point.

constexpr int kGroup = (kRegisters - 4) / 2;
constexpr int kPlane = kLanes + 1;  // the last row is unused: without it, the points of a channel would meet in few places of the cache

// read transforms a block of channels of n tiles of x.
void read(const Map &map, const Tiles &tiles, int64_t block, int64_t from, int64_t n, const float *x, float *v) {
  read_tiles<6>(map, tiles, block, block + 1, from, from + n, x, v, 0, n);
}

// write writes a block of channels of n tiles of y.
void write(const Map &map, const Tiles &tiles, int64_t block, int64_t from, int64_t n, const float *m, const Ends &ends, float *y) {
  write_tiles(map, tiles, block, block + 1, from, from + n, m, 0, n, ends, y);
}

// expand transforms weights g [in/L,9,L,L] of a block. With ahead it asks for those to come.
void expand(const float *g, int64_t in, float *u, bool ahead) {
  for (int64_t i = 0; i < in; i++) {
    const int64_t block = i / kLanes, within = i % kLanes;
    if (ahead) ask<kTaps * kLanes>(g + kTaps * kLanes * (2 * kLanes + i));
    expand_taps((const vec *)g + block * kTaps * kLanes + within, kLanes, (vec *)u + block * kPoints * kPlane + within, kPlane);
  }
}

// multiply makes m of v and u, or without fresh adds it. Meanwhile it asks for as many weights at next, those of blocks being
// apart: they come from memory all the time then, and not only while weights are expanded.
template <int n, int blocks>
void multiply(const float *v, const float *u, int64_t in, float *m, bool fresh, const float *next, int64_t apart) {
  constexpr int64_t row = n * kLanes, square = kPlane * kLanes, part = kTaps * kLanes * kLanes / kPoints;
  for (int64_t p = 0; p < kPoints; p++) {
    for (int64_t c = 0; next != nullptr && c < in / kLanes; c++) {
      for (int64_t b = 0; b < blocks; b++) ask<part>(next + b * apart + (c * kPoints + p) * part);
    }
    product<n, blocks, kLanes, 1>(v + p * row, kLanes, in / kLanes, kPoints * row, u + p * square, kPoints * square, kPoints * kPlane * in,
                                  m + p * row, kPoints * row, fresh);
  }
}

template <int blocks, int... n>
constexpr auto multiplies(std::integer_sequence<int, n...>) {
  return std::array{multiply<n + 1, blocks>...};
}

// expand_and_multiply makes m of one block, of v of few tiles and weights g, so that the expanded weights are in registers
// alone.
constexpr int kFew = (kRegisters - 8) / 6;

// ask_third asks for a third of the weights of an input channel some blocks on; g is that of its block.
template <int third>
WINOGRAD_INLINE void ask_third(const float *g, int64_t channel) {
  constexpr int64_t blocks = 4, line = 16;  // numbers
  if (channel * kLanes % line != 0) return;
#pragma GCC unroll 3
  for (int64_t tap = 3 * third; tap < 3 * third + 3; tap++) ask<line>(g + ((blocks * kTaps + tap) * kLanes + channel) * kLanes);
}

// of_rows does so for rows of the points and a block of input channels.
template <int n, int third, int... row>
WINOGRAD_INLINE void of_rows(const float *v, const float *g, float *m, bool fresh) {
  constexpr int rows[] = {row...}, count = 6 * n * sizeof...(row);
  const auto point = [&](int i) { return rows[i / n / 6] * 6 + i / n % 6; };
  const auto place = [&](int i) { return (point(i) * n + i % n) * kLanes; };
  vec sum[count], u[kPoints];
#pragma GCC unroll 24
  for (int i = 0; i < count; i++) sum[i] = fresh ? vec{} : load(m + place(i));
  for (int64_t c = 0; c < kLanes; c++) {
    if constexpr (third < 3) ask_third<third>(g, c);
    expand_rows<row...>((const vec *)g + c, kLanes, u, 1);
#pragma GCC unroll 24
    for (int i = 0; i < count; i++) sum[i] += v[place(i) + c] * u[point(i)];
  }
#pragma GCC unroll 24
  for (int i = 0; i < count; i++) store(m + place(i), sum[i]);
}

template <int n>
void expand_and_multiply(const float *v, const float *g, int64_t in, float *m) {
  constexpr int64_t all = kPoints * n * kLanes;
  for (int64_t c = 0; c < in; c += kLanes, v += all, g += kTaps * kLanes * kLanes) {
    const bool fresh = c == 0;
    if constexpr (n <= kFew / 2) {
      of_rows<n, 0, 0, 5>(v, g, m, fresh);
      of_rows<n, 1, 1, 2>(v, g, m, fresh);
      of_rows<n, 2, 3, 4>(v, g, m, fresh);
    } else {
      of_rows<n, 0, 0>(v, g, m, fresh);
      of_rows<n, 1, 1>(v, g, m, fresh);
      of_rows<n, 2, 2>(v, g, m, fresh);
      of_rows<n, 3, 3>(v, g, m, fresh);
      of_rows<n, 4, 4>(v, g, m, fresh);
      of_rows<n, 5, 5>(v, g, m, fresh);
    }
  }
}

template <int... n>
constexpr auto expand_and_multiplies(std::integer_sequence<int, n...>) {
  return std::array{expand_and_multiply<n + 1>...};
}

constexpr auto one = multiplies<1>(std::make_integer_sequence<int, kGroup>()), two = multiplies<2>(std::make_integer_sequence<int, kGroup>());
constexpr auto few = expand_and_multiplies(std::make_integer_sequence<int, kFew>());

constexpr Kernels kernels = {kLanes, kPlane, kGroup, kFew, read, write, expand, {one.data(), two.data()}, few.data()};

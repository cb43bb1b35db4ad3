// The kernels of winograd.cc, which includes it once for each instruction set, behind winograd_tiles.h, with how many
// registers there are.
//
// The matrices between are of a group of tiles. With L = kLanes, tiles become v [in/L,36,tiles,L], weights
// u [blocks,in/L,36,L,L] (in, then out), and the products are m [blocks,36,tiles,L]. Of two blocks of m at a time, the
// registers hold all tiles of a group at a point.

constexpr int kGroup = (kRegisters - 4) / 2;

// read transforms a block of channels of n tiles of x.
void read(const Map &map, const Tiles &tiles, int64_t block, int64_t from, int64_t n, const float *x, float *v) {
  for (int64_t i = 0; i < n; i++) read_tile<6>(map, taken(tiles, from + i), block, x, (vec *)v + i, n);
}

// write writes a block of channels of n tiles of y.
void write(const Map &map, const Tiles &tiles, int64_t block, int64_t from, int64_t n, const float *m, const Ends &ends, float *y) {
  for (int64_t i = 0; i < n; i++) write_tile(map, written(tiles, from + i), block, (const vec *)m + i, n, ends, y);
}

// expand transforms weights g [in/L,9,L,L] of a block.
void expand(const float *g, int64_t in, float *u) {
  for (int64_t i = 0; i < in; i++) {
    const int64_t block = i / kLanes, within = i % kLanes;
    expand_taps((const vec *)g + block * kTaps * kLanes + within, kLanes, (vec *)u + block * kPoints * kLanes + within, kLanes);
  }
}

template <int n, int blocks>
void multiply(const float *v, const float *u, int64_t in, float *m, bool fresh) {
  constexpr int64_t row = n * kLanes, square = kLanes * kLanes;
  for (int64_t p = 0; p < kPoints; p++) {
    product<n, blocks, kLanes, 1>(v + p * row, kLanes, in / kLanes, kPoints * row, u + p * square, kPoints * square, kPoints * kLanes * in,
                                  m + p * row, kPoints * row, fresh);
  }
}

using Multiply = void(const float *v, const float *u, int64_t in, float *m, bool fresh);

template <int blocks, int... n>
constexpr std::array<Multiply *, sizeof...(n)> multiplies(std::integer_sequence<int, n...>) {
  return {multiply<n + 1, blocks>...};
}

constexpr auto one_block = multiplies<1>(std::make_integer_sequence<int, kGroup>()), two_blocks = multiplies<2>(std::make_integer_sequence<int, kGroup>());

constexpr Kernels kernels = {kLanes, kGroup, read, write, expand, {one_block.data(), two_blocks.data()}};

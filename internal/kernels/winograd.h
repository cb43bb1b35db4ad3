// What convolutions by Winograd's algorithm are made of, those of inference (winograd.cc) and those of training
// (gotorch/shim/winograd.cc, which says how it goes).
#pragma once

#include <cstdint>

// There are kernels for GCC on x86 alone.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define WINOGRAD
#endif

#define WINOGRAD_INLINE __attribute__((always_inline)) static inline

namespace winograd {

constexpr int64_t kPoints = 36;  // of a tile of 6x6
constexpr int64_t kTaps = 9;     // of the weights

// A map of images, in any order in which blocks of channels, a vector each, are side by side.
struct Map {
  int64_t height, width;
  int64_t image, block, row, column;  // how far apart they are
};

// Tiles are numbered across, down, and over the images. The first begins so far above and left of what it reads.
struct Tiles {
  int64_t down, across, count, top, left;
};

// What becomes of the sums: bias and sum are added; with relu, those below 0 are 0; and so are those where gate is not
// positive. What is null is left out.
struct Ends {
  const float *bias, *sum, *gate;
  bool relu;
};

}  // namespace winograd

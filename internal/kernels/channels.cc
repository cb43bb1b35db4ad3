// Channels makes maps of channels of others, in blocks.

#include <algorithm>

#include "op.h"

namespace kernels {
namespace {

// gather makes a block of so many pixels. from has the first element of each of its channels, null for one of zeros.
template <int64_t kLanes>
KERNELS_INLINE void gather(const float *const *from, float *to, int64_t pixels) {
  bool whole = from[0] != nullptr;
  for (int64_t l = 1; l < kLanes; l++) whole = whole && from[l] == from[0] + l;
  if (whole) {
    std::copy_n(from[0], pixels * kLanes, to);
    return;
  }
  for (int64_t l = 0; l < kLanes; l++) {
    if (from[l] == nullptr) {
      for (int64_t p = 0; p < pixels; p++) to[p * kLanes + l] = 0;
    }
  }
  const float *some[kLanes];
  int64_t lanes[kLanes], count = 0;
  for (int64_t l = 0; l < kLanes; l++) {
    if (from[l] != nullptr) {
      some[count] = from[l];
      lanes[count++] = l;
    }
  }
  if (count == kLanes) {
    for (int64_t p = 0; p < pixels; p++) {
      for (int64_t l = 0; l < kLanes; l++) to[p * kLanes + l] = some[l][p * kLanes];
    }
  } else {
    for (int64_t p = 0; p < pixels; p++) {
      for (int64_t i = 0; i < count; i++) to[p * kLanes + lanes[i]] = some[i][p * kLanes];
    }
  }
}

struct Channels {
  static constexpr const char *name = "Channels";
  static constexpr size_t inputs = 16, required = 1;
  static constexpr int inplace = -1;

  explicit Channels(const ort::Info *info) : lanes(attribute(info, "lanes")), from(integers(info, "from")), channel(integers(info, "channel")) {}

  ort::Status *compute(ort::Context *context) const {
    Tensor x[inputs];
    for (int64_t i = *std::max_element(from.begin(), from.end()); i >= 0; i--) x[i] = input(context, i);
    const int64_t channels = from.size(), blocks = (channels + lanes - 1) / lanes, pixels = x[0].dims[2] * x[0].dims[3];
    const int64_t dims[4] = {x[0].dims[0], blocks * lanes, x[0].dims[2], x[0].dims[3]};
    float *y = output(context, 0, dims, 4);
    return parallel(context, dims[0] * blocks, [&](int64_t i) {
      const float *firsts[16] = {};
      for (int64_t l = 0; l < lanes && i % blocks * lanes + l < channels; l++) {
        const int64_t c = i % blocks * lanes + l;
        const Tensor &t = x[from[c]];
        firsts[l] = t.data + (i / blocks * t.dims[1] + channel[c] / lanes * lanes) * pixels + channel[c] % lanes;
      }
      if (lanes == 16) gather<16>(firsts, y + i * pixels * lanes, pixels);
      if (lanes == 8) gather<8>(firsts, y + i * pixels * lanes, pixels);
    });
  }

  int64_t lanes;
  std::vector<int64_t> from, channel;
};

}  // namespace

const ort::CustomOp *const channels_op = &op<Channels>;

}  // namespace kernels

// Batch normalisation in training, with what often follows it in the same pass over
// memory: gotorch::batch_norm(x, added, …) is relu(batch_norm(x) + added).
//
// libtorch has these as three operators, each of which reads and writes all of a map,
// and most of what they take is memory. Here float32 maps on the CPU in channels-last
// order are read twice and written once forward, and likewise backward. All others go
// through libtorch's operators.

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "parallel.h"
#include "simd.h"

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The kernels take rows of channels, [rows,channels], and channels in groups of one
// vector. Sums of a block of rows are in float32, sums of blocks in float64.
constexpr int64_t kGroup = 8;
typedef float vec __attribute__((vector_size(4 * kGroup), aligned(4)));

// block_rows are as many rows as stay in the first cache.
int64_t block_rows(int64_t channels) { return std::max<int64_t>(8, 4096 / channels); }

struct Sums {
  explicit Sums(int64_t channels) : first(channels), second(channels) {}
  std::vector<double> first, second;  // of each channel
};

// moments adds up rows: their count times mean, and squared distances from the mean, in
// out's form of Chan, Golub and LeVeque's (1979) pairwise update.
GT_CLONES void moments(const float *x, int64_t rows, int64_t channels, Sums &out) {
  const int64_t block = block_rows(channels);
  for (int64_t start = 0; start < rows; start += block) {
    const int64_t n = std::min(block, rows - start);
    for (int64_t c = 0; c < channels; c += kGroup) {
      const float *p = x + start * channels + c;
      vec sum = {};
      for (int64_t r = 0; r < n; r++) sum += *(const vec *)(p + r * channels);
      const vec mean = sum / (float)n;
      vec squares = {};
      for (int64_t r = 0; r < n; r++) {
        const vec d = *(const vec *)(p + r * channels) - mean;
        squares += d * d;
      }
      for (int64_t i = 0; i < kGroup; i++) {
        double &total_mean = out.first[c + i], &total_squares = out.second[c + i];
        const double d = mean[i] - total_mean, all = (double)(start + n);
        total_mean += d * n / all;
        total_squares += squares[i] + d * d * start * n / all;
      }
    }
  }
}

// normalise writes relu(x·scale + shift + added); added may be null.
GT_CLONES void normalise(const float *x, const float *added, float *y, int64_t rows, int64_t channels,
                         const float *scale, const float *shift, bool relu) {
  const vec zero = {};
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < channels; c += kGroup) {
      const int64_t at = r * channels + c;
      vec v = *(const vec *)(x + at) * *(const vec *)(scale + c) + *(const vec *)(shift + c);
      if (added != nullptr) v += *(const vec *)(added + at);
      if (relu) v = v < zero ? zero : v;  // a NaN stays one
      *(vec *)(y + at) = v;
    }
  }
}

// through adds up the gradients g that pass the ReLU, and g·(x - mean). Where y is given
// it says what passes, and g is written; else x·scale + shift does, unless there is no
// ReLU.
GT_CLONES void through(const float *x, const float *y, const float *dy, float *g, int64_t rows, int64_t channels,
                       const float *mean, const float *scale, const float *shift, bool relu, Sums &out) {
  const int64_t block = block_rows(channels);
  const vec zero = {};
  for (int64_t start = 0; start < rows; start += block) {
    const int64_t n = std::min(block, rows - start);
    for (int64_t c = 0; c < channels; c += kGroup) {
      const vec m = *(const vec *)(mean + c), a = *(const vec *)(scale + c), b = *(const vec *)(shift + c);
      vec sum = {}, product = {};
      for (int64_t r = start; r < start + n; r++) {
        const int64_t at = r * channels + c;
        const vec v = *(const vec *)(x + at);
        vec d = *(const vec *)(dy + at);
        if (relu) d = (y != nullptr ? *(const vec *)(y + at) : v * a + b) > zero ? d : zero;
        if (g != nullptr) *(vec *)(g + at) = d;
        sum += d;
        product += d * (v - m);
      }
      for (int64_t i = 0; i < kGroup; i++) {
        out.first[c + i] += sum[i];
        out.second[c + i] += product[i];
      }
    }
  }
}

// differentiate writes the gradient of x: (g - mean_g - (x - mean)·along)·scale, with
// g as in through.
GT_CLONES void differentiate(const float *x, const float *dy, float *dx, int64_t rows, int64_t channels, const float *mean,
                             const float *scale, const float *shift, const float *mean_g, const float *along, bool relu) {
  const vec zero = {};
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < channels; c += kGroup) {
      const int64_t at = r * channels + c;
      const vec v = *(const vec *)(x + at), a = *(const vec *)(scale + c);
      vec d = *(const vec *)(dy + at);
      if (relu) d = v * a + *(const vec *)(shift + c) > zero ? d : zero;
      d = d - *(const vec *)(mean_g + c) - (v - *(const vec *)(mean + c)) * *(const vec *)(along + c);
      *(vec *)(dx + at) = d * a;
    }
  }
}

// Shape is a map's, as rows of channels.
struct Shape {
  explicit Shape(const at::Tensor &x) : rows(x.size(0) * x.size(2) * x.size(3)), channels(x.size(1)) {}

  // each divides the rows among the threads. f takes the number of the part and the
  // first and last of its rows.
  template <class F>
  void each(F f) const {
    const int64_t count = parts();
    at::parallel_for(0, count, 1, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; i++) f(i, rows * i / count, rows * (i + 1) / count);
    });
  }
  int64_t parts() const { return std::clamp<int64_t>(rows * channels / 16384, 1, at::get_num_threads()); }

  int64_t rows, channels;
};

const float *data(const at::Tensor &t) { return t.data_ptr<float>(); }

// statistics are the mean of each channel and the squared distances from it.
Sums statistics(const at::Tensor &x) {
  const Shape shape(x);
  std::vector<Sums> parts(shape.parts(), Sums(shape.channels));
  shape.each([&](int64_t i, int64_t from, int64_t to) { moments(data(x) + from * shape.channels, to - from, shape.channels, parts[i]); });
  Sums all = parts[0];
  for (size_t i = 1; i < parts.size(); i++) {
    const double before = shape.rows * i / parts.size(), after = shape.rows * (i + 1) / parts.size();
    for (int64_t c = 0; c < shape.channels; c++) {
      const double d = parts[i].first[c] - all.first[c];
      all.first[c] += d * (after - before) / after;
      all.second[c] += parts[i].second[c] + d * d * before * (after - before) / after;
    }
  }
  return all;
}

struct BatchNorm : torch::autograd::Function<BatchNorm> {
  // added is x for nothing, as libtorch wants all arguments to be there.
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &added, const at::Tensor &weight,
                            const at::Tensor &bias, const at::Tensor &running_mean, const at::Tensor &running_var,
                            double momentum, double eps, bool relu) {
    const bool adds = !added.is_same(x);
    const Shape shape(x);
    const Sums of = statistics(x);
    // Rows: mean, 1/deviation, scale, shift.
    const at::Tensor line = at::empty({4, shape.channels}, x.options(), at::MemoryFormat::Contiguous);
    float *mean = line.data_ptr<float>(), *inverse = mean + shape.channels, *scale = inverse + shape.channels,
          *shift = scale + shape.channels;
    const double n = shape.rows;
    for (int64_t c = 0; c < shape.channels; c++) {
      mean[c] = of.first[c];
      inverse[c] = 1 / std::sqrt(of.second[c] / n + eps);
      scale[c] = data(weight)[c] * inverse[c];
      shift[c] = data(bias)[c] - of.first[c] * scale[c];
      float &m = running_mean.data_ptr<float>()[c], &v = running_var.data_ptr<float>()[c];
      m = momentum * of.first[c] + (1 - momentum) * m;
      v = momentum * (of.second[c] / (n - 1)) + (1 - momentum) * v;
    }
    const at::Tensor y = at::empty_like(x);
    shape.each([&](int64_t, int64_t from, int64_t to) {
      const int64_t at = from * shape.channels;
      normalise(data(x) + at, adds ? data(added) + at : nullptr, y.data_ptr<float>() + at, to - from,
                shape.channels, scale, shift, relu);
    });
    ctx->save_for_backward({x, line, relu && adds ? y : at::Tensor()});
    ctx->saved_data["relu"] = relu;
    ctx->saved_data["adds"] = adds;
    return y;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "a fused batch normalisation has no second derivative");
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &line = saved[1], &y = saved[2];
    const bool relu = ctx->saved_data["relu"].toBool(), adds = ctx->saved_data["adds"].toBool();
    const at::Tensor dy = grads[0].contiguous(at::MemoryFormat::ChannelsLast);
    const Shape shape(x);
    const float *mean = data(line), *inverse = mean + shape.channels, *scale = inverse + shape.channels,
                *shift = scale + shape.channels;

    const at::Tensor g = y.defined() ? at::empty_like(x) : dy;
    std::vector<Sums> parts(shape.parts(), Sums(shape.channels));
    shape.each([&](int64_t i, int64_t from, int64_t to) {
      const int64_t at = from * shape.channels;
      through(data(x) + at, y.defined() ? data(y) + at : nullptr, data(dy) + at,
              y.defined() ? g.data_ptr<float>() + at : nullptr, to - from, shape.channels, mean, scale, shift, relu, parts[i]);
    });

    // Rows: the gradients of weight and bias, and differentiate's mean_g and along.
    const at::Tensor ends = at::empty({4, shape.channels}, line.options());
    float *dweight = ends.data_ptr<float>(), *dbias = dweight + shape.channels, *mean_g = dbias + shape.channels,
          *along = mean_g + shape.channels;
    for (int64_t c = 0; c < shape.channels; c++) {
      double sum = 0, product = 0;
      for (const Sums &p : parts) sum += p.first[c], product += p.second[c];
      dweight[c] = product * inverse[c];
      dbias[c] = sum;
      mean_g[c] = sum / shape.rows;
      along[c] = product * inverse[c] * inverse[c] / shape.rows;
    }
    const at::Tensor dx = at::empty_like(x);
    shape.each([&](int64_t, int64_t from, int64_t to) {
      const int64_t at = from * shape.channels;
      differentiate(data(x) + at, data(g) + at, dx.data_ptr<float>() + at, to - from, shape.channels, mean, scale, shift,
                    mean_g, along, relu && !y.defined());
    });
    return {dx, adds ? g : at::Tensor(), ends[0], ends[1], {}, {}, {}, {}, {}};
  }
};

bool plain(const at::Tensor &t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat; }

at::Tensor batch_norm(const at::Tensor &x, at::TensorList added, const at::Tensor &weight, const at::Tensor &bias,
                      const at::Tensor &running_mean, const at::Tensor &running_var, double momentum, double eps, bool relu) {
  TORCH_CHECK(added.size() <= 1, "want one tensor to add, or none");
  const bool fits = plain(x) && x.dim() == 4 && x.size(1) % kGroup == 0 && x.numel() > x.size(1) &&
                    x.is_contiguous(at::MemoryFormat::ChannelsLast) && plain(weight) && plain(bias) &&
                    plain(running_mean) && plain(running_var) &&
                    (added.empty() || (plain(added[0]) && added[0].sizes() == x.sizes() && !added[0].is_same(x)));
  if (fits) {
    return BatchNorm::apply(x, added.empty() ? x : added[0].contiguous(at::MemoryFormat::ChannelsLast), weight,
                            bias, running_mean, running_var, momentum, eps, relu);
  }
  at::Tensor y = at::batch_norm(x, weight, bias, running_mean, running_var, /*training=*/true, momentum, eps, /*cudnn=*/true);
  if (!added.empty()) y = y + added[0];
  return relu ? at::relu(y) : y;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(gotorch, m) {
  m.def(
      "batch_norm(Tensor x, Tensor[] added, Tensor weight, Tensor bias, Tensor(a!) running_mean, Tensor(b!) running_var, "
      "float momentum, float eps, bool relu) -> Tensor",
      &batch_norm);
}

/* gotorch.h is the plain C interface between Go and libtorch.
 *
 * Every function that can fail returns its own error: NULL, or a message that
 * the caller frees with gt_free_message. No C++ type, no libtorch header and no
 * exception passes this boundary, so one Go binary runs against any libtorch for
 * which gotorch.cc was compiled. */
#ifndef GOTORCH_H
#define GOTORCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gt_tensor gt_tensor;       /* a reference to a tensor */
typedef struct gt_generator gt_generator; /* a source of random numbers */
typedef struct gt_op gt_op;               /* an operator of libtorch; lives for ever */

/* An argument of an operator. Tensors, generators and integers of variable
 * number lie in arrays of their own, so that no Go pointer is ever stored in Go
 * memory that C sees. */
typedef enum {
  GT_NONE,
  GT_BOOL,      /* a: 0 or 1 */
  GT_INT,       /* a */
  GT_FLOAT,     /* d */
  GT_STRING,    /* a: offset in text, b: bytes */
  GT_DEVICE,    /* a: type, b: index */
  GT_TENSOR,    /* a: index in handles */
  GT_GENERATOR, /* a: index in handles */
  GT_INTS,      /* a: offset in ints, b: count */
  GT_TENSORS    /* a: offset in handles, b: count */
} gt_kind;

typedef struct {
  int64_t kind; /* gt_kind */
  int64_t a, b;
  double d;
} gt_arg;

void gt_free_message(char *message);

/* gt_find_op finds an operator by its schema's name and overload, such as
 * "aten::add" and "Tensor". */
char *gt_find_op(const char *name, const char *overload, gt_op **op);

/* gt_call runs an operator, with gradients recorded if grad is not 0. Trailing
 * arguments that are not given have the schema's defaults. It returns exactly
 * nouts tensors; with nouts 0 whatever the operator returns is dropped. */
char *gt_call(const gt_op *op, int grad, const gt_arg *args, size_t nargs, void *const *handles,
              const int64_t *ints, const char *text, gt_tensor **outs, size_t nouts);

/* gt_grad differentiates the sum of outputs, each weighted by its seed (NULL: 1,
 * for scalars only), with respect to inputs alone. grads[i] is NULL where
 * input i does not matter and allow_unused is set. */
char *gt_grad(gt_tensor *const *outputs, gt_tensor *const *seeds, size_t noutputs, gt_tensor *const *inputs,
              size_t ninputs, int retain_graph, int create_graph, int allow_unused, gt_tensor **grads);

/* Data in and out: dense, row-major, of the tensor's own element type. */
char *gt_from_data(const void *data, size_t bytes, int dtype, const int64_t *shape, size_t dims, gt_tensor **out);
char *gt_to_data(const gt_tensor *t, void *data, size_t bytes);
char *gt_item(const gt_tensor *t, double *value);

/* gt_fetch begins to copy a tensor to the CPU and does not wait for it: whatever
 * reads the copy does. A tensor on the CPU is not copied. */
char *gt_fetch(const gt_tensor *t, gt_tensor **out);

/* gt_info reads what a tensor is. dims is in: the capacity of shape, out: the
 * number of dimensions, of which no more than the capacity are written. */
typedef struct {
  int64_t numel;
  int32_t dtype, device, device_index;
  int32_t requires_grad, contiguous, channels_last;
} gt_tensor_info;
char *gt_info(const gt_tensor *t, gt_tensor_info *info, int64_t *shape, size_t *dims);
char *gt_set_requires_grad(gt_tensor *t, int requires_grad);

/* gt_alias makes another reference to the same tensor. */
char *gt_alias(const gt_tensor *t, gt_tensor **out);
void gt_free_tensors(gt_tensor *const *tensors, size_t n);

char *gt_new_generator(int device, int index, uint64_t seed, gt_generator **out);
char *gt_default_generator(int device, int index, gt_generator **out);
char *gt_generator_seed(gt_generator *g, uint64_t seed);
char *gt_generator_state(gt_generator *g, gt_tensor **out);
char *gt_generator_set_state(gt_generator *g, const gt_tensor *state);
void gt_free_generators(gt_generator *const *generators, size_t n);

/* gt_live_handles counts the tensors and generators not yet freed. */
int64_t gt_live_handles(void);

/* Settings of the whole process. */
typedef enum {
  GT_BENCHMARK_CUDNN, /* time cuDNN's algorithms for each new shape and keep the fastest */
  GT_TF32_CUDNN,      /* convolutions may round their inputs to TF32 */
  GT_TF32_CUBLAS,     /* matrix products likewise */
  GT_DETERMINISTIC    /* deterministic algorithms wherever there is one */
} gt_flag;
char *gt_set_flag(int flag, int on);
char *gt_flag_is_on(int flag, int *on);

char *gt_manual_seed(uint64_t seed);
char *gt_set_num_threads(int n);
char *gt_num_threads(int *n);

/* gt_peak_memory is the most bytes of tensors on a device at once since it was last
 * asked; -1 if this libtorch does not tell. */
char *gt_peak_memory(int device, int index, int64_t *bytes);

typedef struct {
  char torch[32];   /* version of the headers that the shim was compiled with */
  int32_t cuda;     /* libtorch has CUDA kernels */
  int32_t gpus;     /* GPUs that it can see */
  int32_t onednn;   /* libtorch has oneDNN */
} gt_build_info;
char *gt_build(gt_build_info *info);

#ifdef __cplusplus
}
#endif
#endif

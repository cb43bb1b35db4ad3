#include <stddef.h>

struct gpu {
	char name[96];
	int major, minor; // compute capability
	size_t memory;    // bytes
};

// Each of these returns NULL, or what is wrong. gpu_count comes first.
const char *gpu_count(int *n);
const char *gpu_describe(int device, struct gpu *g);
const char *gpu_available(int device, size_t *bytes);

// gpu_cudnn returns the number of a cuDNN library's version, 0 if it has none.
size_t gpu_cudnn(const char *path);

// Stands in for libcuda.so.1 and libcudnn.so.9 of a machine with two GPUs, of which the
// second has lost its memory.
#include <stddef.h>
#include <string.h>

static int context;

int cuInit(unsigned flags) { return 0; }

int cuDeviceGetCount(int *n) {
	*n = 2;
	return 0;
}

int cuDeviceGetName(char *name, int size, int device) {
	strncpy(name, device == 0 ? "NVIDIA First" : "NVIDIA Second", size);
	return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
	*value = attribute == 75 ? 9 - device : 10 + attribute - 76;
	return 0;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
	*bytes = 80ull << 30;
	return 0;
}

int cuDevicePrimaryCtxRetain(void **c, int device) {
	context = device;
	*c = &context;
	return 0;
}

int cuDevicePrimaryCtxRelease_v2(int device) { return 0; }
int cuCtxPushCurrent_v2(void *c) { return c != &context; }
int cuCtxPopCurrent_v2(void **c) { return 0; }

int cuMemGetInfo_v2(size_t *available, size_t *total) {
	*available = 79ull << 30;
	return context == 1 ? 214 : 0;
}

size_t cudnnGetVersion(void) { return 92701; }

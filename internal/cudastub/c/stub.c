// What a session of ONNX Runtime's CUDA provider asks of CUDA while it is created, as a
// machine with one GPU of 80 GB and compute capability 9.0 would answer. Memory is the
// host's, kernels do nothing. Every other function returns 0, which is success.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, OUT_OF_MEMORY = 2 };

static int allocate(void **p, size_t n) {
	*p = aligned_alloc(256, (n + 255) / 256 * 256);
	return *p ? SUCCESS : OUT_OF_MEMORY;
}

int cudaMalloc(void **p, size_t n) { return allocate(p, n); }
int cudaMallocHost(void **p, size_t n) { return allocate(p, n); }
int cudaHostAlloc(void **p, size_t n, unsigned flags) { return allocate(p, n); }
int cudaMallocFromPoolAsync(void **p, size_t n, void *pool, void *stream) { return allocate(p, n); }

static int release(void *p) {
	free(p);
	return SUCCESS;
}

int cudaFree(void *p) { return release(p); }
int cudaFreeHost(void *p) { return release(p); }
int cudaFreeAsync(void *p, void *stream) { return release(p); }

int cudaMemGetInfo(size_t *available, size_t *total) {
	*available = 79ull << 30;
	*total = 80ull << 30;
	return SUCCESS;
}

static int copy(void *to, const void *from, size_t n) {
	memcpy(to, from, n);
	return SUCCESS;
}

int cudaMemcpy(void *to, const void *from, size_t n, int kind) { return copy(to, from, n); }
int cudaMemcpyAsync(void *to, const void *from, size_t n, int kind, void *stream) { return copy(to, from, n); }

static int set(void *to, int value, size_t n) {
	memset(to, value, n);
	return SUCCESS;
}

int cudaMemset(void *to, int value, size_t n) { return set(to, value, n); }
int cudaMemsetAsync(void *to, int value, size_t n, void *stream) { return set(to, value, n); }

static int answer(int *to, int value) {
	*to = value;
	return SUCCESS;
}

int cudaGetDeviceCount(int *n) { return answer(n, 1); }
int cudaGetDevice(int *device) { return answer(device, 0); }
int cudaDriverGetVersion(int *version) { return answer(version, 13000); }
int cudaRuntimeGetVersion(int *version) { return answer(version, 13000); }
int cudaStreamIsCapturing(void *stream, int *status) { return answer(status, 0); }
int cublasGetMathMode(void *handle, int *mode) { return answer(mode, 0); }
int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *n, const void *kernel, int threads, size_t memory, unsigned flags) { return answer(n, 2); }

// The numbers are those of cudaDeviceAttr.
int cudaDeviceGetAttribute(int *value, int attribute, int device) {
	switch (attribute) {
	case 1: return answer(value, 1024);    // threads of a block
	case 8: return answer(value, 49152);   // shared memory of a block, bytes
	case 10: return answer(value, 32);     // threads of a warp
	case 16: return answer(value, 132);    // multiprocessors
	case 75: return answer(value, 9);      // compute capability, before
	case 76: return answer(value, 0);      // and after the point
	case 81: return answer(value, 233472); // shared memory of a multiprocessor
	case 97: return answer(value, 232448); // of a block that asks for more
	}
	return answer(value, 1);
}

// The offsets are those of cudaDeviceProp, the same in CUDA 12 and 13.
int cudaGetDeviceProperties(char *properties, int device) {
	memset(properties, 0, 1000);
	strcpy(properties, "stand-in");
	*(size_t *)(properties + 288) = 80ull << 30; // memory
	*(size_t *)(properties + 296) = 49152;       // shared memory of a block
	*(int *)(properties + 304) = 65536;          // registers of a block
	*(int *)(properties + 308) = 32;             // threads of a warp
	*(int *)(properties + 320) = 1024;           // threads of a block
	*(int *)(properties + 360) = 9;              // compute capability
	*(int *)(properties + 364) = 0;
	*(int *)(properties + 384) = 132; // multiprocessors, in CUDA 13
	*(int *)(properties + 388) = 132; // and in 12
	return SUCCESS;
}

int cudaFuncGetAttributes(void *attributes, const void *kernel) { return set(attributes, 0, 144); }

static int handle(void **p) {
	*p = (void *)0x1000;
	return SUCCESS;
}

int cudaStreamCreate(void **p) { return handle(p); }
int cudaStreamCreateWithFlags(void **p, unsigned flags) { return handle(p); }
int cudaEventCreate(void **p) { return handle(p); }
int cudaEventCreateWithFlags(void **p, unsigned flags) { return handle(p); }
int cudaMemPoolCreate(void **p, const void *properties) { return handle(p); }
int cublasCreate_v2(void **p) { return handle(p); }
int cublasLtCreate(void **p) { return handle(p); }
int cublasLtMatmulDescCreate(void **p, int compute, int scale) { return handle(p); }
int cublasLtMatrixLayoutCreate(void **p, int type, size_t rows, size_t columns, long long stride) { return handle(p); }
int cublasLtMatmulPreferenceCreate(void **p) { return handle(p); }
int cublasLtMatrixTransformDescCreate(void **p, int scale) { return handle(p); }

const char *cudaGetErrorString(int error) { return "stand-in"; }
const char *cudaGetErrorName(int error) { return "stand-in"; }
const char *cublasGetStatusName(int status) { return "stand-in"; }
const char *cublasGetStatusString(int status) { return "stand-in"; }

void **__cudaRegisterFatBinary(void *binary) {
	static void *registered;
	return &registered;
}

#include "gpu.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

// Attributes of a device (CUDA Driver API, CUdevice_attribute).
enum { COMPUTE_CAPABILITY_MAJOR = 75, COMPUTE_CAPABILITY_MINOR = 76 };

// The driver's functions, as the CUDA Driver API declares them; each returns 0 if it
// has done what it should.
static struct {
	int (*init)(unsigned flags);
	int (*count)(int *n);
	int (*name)(char *name, int size, int device);
	int (*attribute)(int *value, int attribute, int device);
	int (*total)(size_t *bytes, int device);
	int (*retain)(void **context, int device);
	int (*release)(int device);
	int (*push)(void *context);
	int (*pop)(void **context);
	int (*memory)(size_t *available, size_t *total);
} driver;

// load finds the driver's functions, and returns what is wrong, or NULL.
static const char *load(void) {
	void *library = dlopen("libcuda.so.1", RTLD_NOW);
	if (!library)
		return dlerror();
	struct {
		const char *name;
		void *function;
	} wanted[] = {
		{"cuInit", &driver.init},
		{"cuDeviceGetCount", &driver.count},
		{"cuDeviceGetName", &driver.name},
		{"cuDeviceGetAttribute", &driver.attribute},
		{"cuDeviceTotalMem_v2", &driver.total},
		{"cuDevicePrimaryCtxRetain", &driver.retain},
		{"cuDevicePrimaryCtxRelease_v2", &driver.release},
		{"cuCtxPushCurrent_v2", &driver.push},
		{"cuCtxPopCurrent_v2", &driver.pop},
		{"cuMemGetInfo_v2", &driver.memory},
	};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		void *f = dlsym(library, wanted[i].name);
		if (!f)
			return dlerror();
		memcpy(wanted[i].function, &f, sizeof f);
	}
	return NULL;
}

// failed words the error of a function.
static const char *failed(const char *function, int code) {
	static _Thread_local char text[64];
	snprintf(text, sizeof text, "%s: CUDA error %d", function, code);
	return text;
}

#define TRY(function, ...)                          \
	do {                                            \
		int code = driver.function(__VA_ARGS__);    \
		if (code)                                   \
			return failed(#function, code);         \
	} while (0)

const char *gpu_count(int *n) {
	const char *wrong = load();
	if (wrong)
		return wrong;
	TRY(init, 0);
	TRY(count, n);
	return NULL;
}

const char *gpu_describe(int device, struct gpu *g) {
	TRY(name, g->name, sizeof g->name, device);
	TRY(attribute, &g->major, COMPUTE_CAPABILITY_MAJOR, device);
	TRY(attribute, &g->minor, COMPUTE_CAPABILITY_MINOR, device);
	TRY(total, &g->memory, device);
	return NULL;
}

const char *gpu_available(int device, size_t *bytes) {
	void *context;
	size_t total;
	TRY(retain, &context, device);
	int code = driver.push(context);
	if (!code) {
		code = driver.memory(bytes, &total);
		driver.pop(&context);
	}
	driver.release(device);
	return code ? failed("memory", code) : NULL;
}

size_t gpu_cudnn(const char *path) {
	void *library = dlopen(path, RTLD_NOW);
	size_t (*version)(void) = NULL;
	if (library) {
		void *f = dlsym(library, "cudnnGetVersion");
		memcpy(&version, &f, sizeof f);
	}
	return version ? version() : 0;
}

#pragma once
#include <stddef.h>
#include <stdint.h>

// What a step of an Elementwise computes.
enum { kAdd, kSub, kMul, kDiv, kLinear, kBounded, kCut, kHardSigmoid, kSigmoid, kExp, kErf };

// How many operands an Elementwise may have, and steps.
enum { kOperands = 8, kSteps = 24 };

#ifdef __cplusplus
extern "C" {
#endif
int kernels_register(void *base, void *options);
int kernels_supports(int lanes);
void *kernels_share(void *options, const char *name, void *data, size_t bytes, const int64_t *dims, size_t rank, int type, int constant);
void kernels_release(void *value);
#ifdef __cplusplus
}
#endif

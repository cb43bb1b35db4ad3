#pragma once
#ifdef __cplusplus
extern "C" {
#endif
int kernels_register(void *base, void *options);
int kernels_supports(int lanes);
void kernels_expand(int lanes, const float *weights, int out, int in, float *u);
#ifdef __cplusplus
}
#endif

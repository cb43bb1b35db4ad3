// Instruction sets of kernels written here.
#ifndef GOTORCH_SIMD_H
#define GOTORCH_SIMD_H

// GT_CLONES compiles a function once for each level of instructions; the loader chooses.
#if defined(__x86_64__)
#define GT_CLONES __attribute__((noinline, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GT_CLONES __attribute__((noinline))
#endif

#endif

// libtorch's at::parallel_for, on libtorch's threads.
#ifndef GOTORCH_PARALLEL_H
#define GOTORCH_PARALLEL_H

#include <ATen/Parallel.h>

#if AT_PARALLEL_OPENMP && !defined(_OPENMP)
#error "without -fopenmp at::parallel_for is a loop on one thread"
#endif

#endif

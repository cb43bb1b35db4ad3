// What the operators need of ONNX Runtime's C API (onnxruntime_c_api.h, version 24 and later). Its functions are
// a table, whose entries keep their places from version to version.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ort {

struct Status;
struct Value;
struct Context;
struct Info;
struct Shape;
struct Domain;
struct Options;
struct Memory;
struct Allocator;

constexpr uint32_t kVersion = 24;
constexpr int kFloat = 1;  // the type of elements

using Function = void (*)();  // of whichever signature

struct Base {
  const Function *(*api)(uint32_t version);
  const char *(*version)();
};

// An operator (OrtCustomOp).
struct CustomOp {
  uint32_t version;
  void *(*create_old)(const CustomOp *, const void *const *, const Info *);
  const char *(*name)(const CustomOp *);
  const char *(*provider)(const CustomOp *);
  int (*input_type)(const CustomOp *, size_t);
  size_t (*inputs)(const CustomOp *);
  int (*output_type)(const CustomOp *, size_t);
  size_t (*outputs)(const CustomOp *);
  void (*compute_old)(void *, Context *);
  void (*destroy)(void *);
  int (*input_needed)(const CustomOp *, size_t);  // 0, or 1 for an optional one
  int (*output_needed)(const CustomOp *, size_t);
  int (*input_memory)(const CustomOp *, size_t);
  int (*variadic[4])(const CustomOp *);
  Status *(*create)(const CustomOp *, const void *const *, const Info *, void **kernel);
  Status *(*compute)(void *kernel, Context *);
  Status *(*infer)(const CustomOp *, void *);
  int (*first)(const CustomOp *);
  int (*last)(const CustomOp *);
  size_t (*may_inplace)(int **inputs, int **outputs);
  void (*release_inplace)(int *, int *);
  size_t (*aliases)(int **, int **);
  void (*release_aliases)(int *, int *);
};

// The functions' places in the table (OrtApi).
enum Place {
  kCreateCustomOpDomain = 26,
  kCustomOpDomainAdd = 27,
  kAddCustomOpDomain = 28,
  kCreateTensorWithData = 49,
  kGetTensorMutableData = 51,
  kGetDimensionsCount = 61,
  kGetDimensions = 62,
  kGetTensorTypeAndShape = 65,
  kCreateCpuMemoryInfo = 69,
  kAllocatorAlloc = 75,
  kAllocatorFree = 76,
  kKernelInfoGetAttributeInt64 = 86,
  kKernelContextGetInput = 90,
  kKernelContextGetOutput = 91,
  kReleaseStatus = 93,
  kReleaseMemoryInfo = 94,
  kReleaseValue = 96,
  kReleaseTensorTypeAndShapeInfo = 99,
  kReleaseAllocator = 132,
  kAddInitializer = 150,
  kKernelInfoGetAttributeArrayFloat = 162,
  kKernelInfoGetAttributeArrayInt64 = 163,
  kAddExternalInitializers = 210,
  kKernelContextParallelFor = 274,
  kKernelInfoGetAllocator = 278,
};

extern const Function *api;  // the table

template <Place place, typename Result = Status *, typename... Args>
Result call(Args... args) {
  return reinterpret_cast<Result (*)(Args...)>(api[place])(args...);
}

}  // namespace ort

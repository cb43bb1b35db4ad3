// An allocator for tensors on the CPU that keeps freed blocks for reuse, as
// libtorch has for CUDA only.
//
// A training step asks for the same sizes as the step before. malloc gives large
// blocks back to the kernel, which has to clear their pages in every step, and
// fragments, so that resident memory creeps up. Here every step but the first
// finds the blocks it needs.

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

namespace {

// Block precedes the memory of a tensor, which libtorch wants aligned like this.
struct alignas(64) Block {
  size_t size;  // of the memory that follows
};

// size_class rounds up to an eighth of a power of two, so that batches of
// similar sizes share blocks.
size_t size_class(size_t n) {
  if (n <= 512) return (n + 63) / 64 * 64;
  const int log2 = 63 - __builtin_clzll(n - 1);
  const size_t step = size_t{1} << (log2 - 3);
  return (n + step - 1) / step * step;
}

class Cache final : public at::Allocator {
 public:
  // libtorch's allocate was const in 1.13 and no longer is; either of these is
  // the one that it calls.
  at::DataPtr allocate(size_t n) const { return const_cast<Cache *>(this)->allocate(n); }
  at::DataPtr allocate(size_t n) {
    void *data = n == 0 ? nullptr : take(size_class(n));
    return {data, data, &free, at::Device(at::DeviceType::CPU)};
  }

  at::DeleterFnPtr raw_deleter() const override { return &free; }

  // Newer versions of libtorch call this.
  void copy_data(void *to, const void *from, size_t n) const { std::memcpy(to, from, n); }

  static Cache &instance() {
    static Cache *const cache = new Cache;  // outlives all tensors
    return *cache;
  }

  // peak returns the most bytes in use at once since the last call.
  size_t peak() {
    const std::lock_guard<std::mutex> lock(mutex_);
    const size_t peak = peak_;
    peak_ = used_;
    return peak;
  }

 private:
  static void free(void *data) {
    if (data != nullptr) instance().put(static_cast<Block *>(data) - 1);
  }

  void *take(size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Block *> &blocks = free_[size];
    Block *block;
    if (blocks.empty()) {
      block = make(size);
    } else {
      block = blocks.back();
      blocks.pop_back();
      cached_ -= size;
    }
    used_ += size;
    if (used_ > most_used_) most_used_ = used_;
    if (used_ > peak_) peak_ = used_;
    return block + 1;
  }

  void put(Block *block) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_[block->size].push_back(block);
    cached_ += block->size;
    used_ -= block->size;
  }

  // make gets a new block. So that blocks of sizes that are no longer asked for
  // do not pile up, what is free is given up before the whole exceeds the most
  // that was ever in use by a quarter.
  Block *make(size_t size) {
    if (used_ + cached_ + size > most_used_ + most_used_ / 4) release();
    void *memory = nullptr;
    if (posix_memalign(&memory, alignof(Block), sizeof(Block) + size) != 0) {
      release();
      TORCH_CHECK(posix_memalign(&memory, alignof(Block), sizeof(Block) + size) == 0, "out of memory: ", size,
                  " bytes cannot be had, with ", used_, " in use");
    }
    return new (memory) Block{size};
  }

  void release() {
    for (auto &blocks : free_) {
      for (Block *block : blocks.second) std::free(block);
      blocks.second.clear();
    }
    cached_ = 0;
  }

  std::mutex mutex_;
  std::unordered_map<size_t, std::vector<Block *>> free_;  // by size
  size_t used_ = 0, cached_ = 0, most_used_ = 0;           // bytes
  size_t peak_ = 0;                                        // most_used_ since peak() was called
};

const bool installed = [] {
  c10::SetCPUAllocator(&Cache::instance(), 1);
  return true;
}();

}  // namespace

size_t gt_cpu_peak() { return Cache::instance().peak(); }

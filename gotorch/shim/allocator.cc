// An allocator for tensors on the CPU that keeps freed memory for reuse, as
// libtorch has for CUDA only.
//
// A training step asks for the same sizes as the step before. malloc gives large
// blocks back to the kernel, which has to clear their pages in every step, and
// fragments, so that resident memory creeps up. Here every step but the first
// finds the memory it needs, in pages of 2 MiB where the kernel has them.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <set>
#include <utility>

#include <sys/mman.h>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

namespace {

// Block precedes the memory of a tensor, which libtorch wants aligned like this.
struct alignas(64) Block {
  size_t size;             // with this header
  size_t asked;            // by the tensor
  Block *before, *behind;  // neighbours in the region
  bool free;
  bool small;  // of malloc's, without neighbours
};

constexpr size_t kPage = 4096;
constexpr size_t kHuge = size_t{2} << 20;
constexpr size_t kSmall = size_t{32} << 10;  // below it malloc is good

// Addresses that are reserved at once, as many as can be had: pages are the kernel's until they are written. In one region
// freed blocks join that in several would not, which took up to a third more memory.
constexpr size_t kRegions[] = {size_t{64} << 30, size_t{256} << 20, 0};

size_t rounded(size_t n, size_t to) { return (n + to - 1) / to * to; }

class Cache final : public at::Allocator {
 public:
  // libtorch's allocate was const in 1.13 and no longer is; either of these is
  // the one that it calls.
  at::DataPtr allocate(size_t n) const { return const_cast<Cache *>(this)->allocate(n); }
  at::DataPtr allocate(size_t n) {
    void *data = n == 0 ? nullptr : take(n);
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

  void *take(size_t n) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const size_t size = n > SIZE_MAX / 2 ? n : sizeof(Block) + n;
    Block *block = size < kSmall ? small(size) : large(rounded(size, kPage));
    TORCH_CHECK(block != nullptr, "out of memory: ", n, " bytes cannot be had, with ", used_, " in use");
    used_ += block->asked = n;
    peak_ = std::max(peak_, used_);
    return block + 1;
  }

  void put(Block *block) {
    const std::lock_guard<std::mutex> lock(mutex_);
    used_ -= block->asked;
    if (block->small) return std::free(block);
    if (block->behind != nullptr && block->behind->free) {
      blocks_.erase({block->behind->size, block->behind});
      swallow(block);
    }
    if (block->before != nullptr && block->before->free) {
      block = block->before;
      blocks_.erase({block->size, block});
      swallow(block);
    }
    block->free = true;
    blocks_.insert({block->size, block});
  }

  static Block *small(size_t size) {
    void *memory = nullptr;
    if (posix_memalign(&memory, alignof(Block), size) != 0) return nullptr;
    return new (memory) Block{size, 0, nullptr, nullptr, false, true};
  }

  // large returns the least of the free blocks that are large enough, without what is too
  // much of it.
  Block *large(size_t size) {
    auto least = blocks_.lower_bound({size, nullptr});
    if (least == blocks_.end()) {
      Block *region = nullptr;
      for (const size_t some : kRegions) {
        if (region == nullptr) region = reserve(std::max(rounded(size, kHuge), some));
      }
      if (region == nullptr) return nullptr;
      least = blocks_.insert({region->size, region}).first;
    }
    Block *block = least->second;
    blocks_.erase(least);
    block->free = false;
    if (block->size - size >= kSmall) {
      void *rest = reinterpret_cast<char *>(block) + size;
      Block *tail = new (rest) Block{block->size - size, 0, block, block->behind, true, false};
      if (tail->behind != nullptr) tail->behind->before = tail;
      block->behind = tail;
      block->size = size;
      blocks_.insert({tail->size, tail});
    }
    return block;
  }

  // swallow joins a block with the one behind it.
  static void swallow(Block *block) {
    Block *gone = block->behind;
    block->size += gone->size;
    block->behind = gone->behind;
    if (block->behind != nullptr) block->behind->before = block;
  }

  // reserve gets a region from the kernel, and gives back those that are free, as none of
  // them was large enough.
  Block *reserve(size_t size) {
    for (auto it = blocks_.begin(); it != blocks_.end();) {
      Block *block = it->second;
      if (block->before != nullptr || block->behind != nullptr) {
        ++it;
        continue;
      }
      it = blocks_.erase(it);
      munmap(block, block->size);
    }
    void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    madvise(memory, size, MADV_HUGEPAGE);
    return new (memory) Block{size, 0, nullptr, nullptr, true, false};
  }

  std::mutex mutex_;
  std::set<std::pair<size_t, Block *>> blocks_;  // free ones
  size_t used_ = 0, peak_ = 0;                   // bytes; the most since peak() was called
};

const bool installed = [] {
  c10::SetCPUAllocator(&Cache::instance(), 1);
  return true;
}();

}  // namespace

size_t gt_cpu_peak() { return Cache::instance().peak(); }

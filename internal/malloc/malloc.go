// Package malloc talks to the C library's allocator, where libraries in C and C++ keep
// what they need beside Go's own memory.
package malloc

/*
#include <malloc.h>
#ifdef __GLIBC__
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { kPage = 1 << 21, kMapped = 32 << 20 }; // a large page; what the library takes from the system by itself

// one heap serves all threads, so that what one frees the next can have.
__attribute__((constructor)) static void one(void) { mallopt(M_ARENA_MAX, 1); }

static void trim(void) { malloc_trim(0); }

static void reserve(size_t size) {
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	char *p = malloc(size);
	uintptr_t from = ((uintptr_t)p + kPage - 1) / kPage * kPage;
	if (p != NULL && from + kPage <= (uintptr_t)p + size) madvise((void *)from, (uintptr_t)p + size - from, MADV_HUGEPAGE);
	free(p);
}

static void give_back(void) {
	mallopt(M_MMAP_THRESHOLD, kMapped);
	mallopt(M_TRIM_THRESHOLD, 2 * kMapped);
	trim();
}
#else
static void trim(void) {}
static void reserve(size_t size) {}
static void give_back(void) {}
#endif
*/
import "C"

// Trim gives back to the system what has been freed. The GNU C library keeps most of it
// otherwise, so that a process which frees one large thing and allocates the next grows with each.
func Trim() { C.trim() }

// Reserve has the C library keep what is freed until GiveBack, for what is allocated next, and take it from so many bytes
// first, in large pages: of something large that is copied from place to place the system otherwise hands out each copy
// page by page, which takes as long as to copy it.
func Reserve(bytes int) { C.reserve(C.size_t(bytes)) }

// GiveBack ends that.
func GiveBack() { C.give_back() }

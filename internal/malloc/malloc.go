// Package malloc talks to the C library's allocator, where libraries in C and C++ keep
// what they need beside Go's own memory.
package malloc

/*
#include <malloc.h>
#ifdef __GLIBC__
static void trim(void) { malloc_trim(0); }
#else
static void trim(void) {}
#endif
*/
import "C"

// Trim gives back to the system what has been freed. The GNU C library keeps most of it
// otherwise, for each of the threads that have allocated, so that a process which frees
// one large thing and allocates the next one from another thread grows with each.
func Trim() { C.trim() }

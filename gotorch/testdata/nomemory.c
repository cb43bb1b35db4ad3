/* A malloc, to be preloaded, that has no memory for the shim between Go and
 * libtorch if it asks for much, as it does for long messages alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

extern void *__libc_malloc(size_t size);

void *malloc(size_t size) {
  Dl_info caller;
  if (size > 20000 && dladdr(__builtin_return_address(0), &caller) && caller.dli_fname != NULL &&
      strstr(caller.dli_fname, "libgotorch") != NULL) {
    return NULL;
  }
  return __libc_malloc(size);
}

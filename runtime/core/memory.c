/* Memory for kernels, from libc. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/memory.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { CACHE_LINE = 64, HUGE_PAGE = 2 << 20 };

void *mlc_aligned_alloc(uint64_t bytes) {
  if (bytes > UINT64_MAX / 2)
    return NULL;
  uint64_t rounded = bytes == 0 ? CACHE_LINE : (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
  void *block = NULL;
  if (posix_memalign(&block, bytes >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE, rounded) != 0)
    return NULL;
#ifdef MADV_HUGEPAGE
  if (bytes >= HUGE_PAGE)
    madvise(block, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* a refusal changes nothing */
#endif
  return block;
}

/* The memory that kernels work on: workspaces, buffers of dynamic size, the state of a training program. */
#ifndef MLC_RUNTIME_CORE_MEMORY_H
#define MLC_RUNTIME_CORE_MEMORY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Aligned to 64 bytes; NULL when memory is exhausted. Freed with free().
 *
 * Blocks of 2 MiB and more lie on huge pages where the system lends them (Linux: unless
 * /sys/kernel/mm/transparent_hugepage/enabled says never): kernels that walk across the rows of a matrix touch a page a
 * row, more of them than a processor's TLB holds. Only whole huge pages are asked for, so no block takes more memory
 * than its bytes. */
void *mlc_aligned_alloc(uint64_t bytes);

#ifdef __cplusplus
}
#endif

#endif

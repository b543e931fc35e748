/* Buffers whose size is known only at run time. A context keeps them: a second run with the same sizes allocates
 * nothing. Best fit among the free ones; linear in the number of buffers, which is that of the dynamic tensors alive at
 * once. */
#include "runtime/core/context.h"
#include "runtime/core/memory.h"

#include <stdlib.h>

void *mlc_pool_take(mlc_pool *pool, uint64_t bytes) {
  mlc_block *best = NULL, *largest = NULL;
  for (size_t i = 0; i < pool->count; ++i) {
    mlc_block *block = &pool->blocks[i];
    if (block->in_use)
      continue;
    if (block->bytes >= bytes && (!best || block->bytes < best->bytes))
      best = block;
    if (!largest || block->bytes > largest->bytes)
      largest = block;
  }
  /* Not much larger than needed; otherwise small requests would hold the large buffers. */
  if (best && best->bytes <= 2 * bytes + 4096) {
    best->in_use = 1;
    return best->data;
  }
  mlc_block *block = largest && !best ? largest : NULL;
  if (block) { /* a free one that is too small grows: it is replaced */
    free(block->data);
    block->data = NULL;
    block->bytes = 0;
  } else {
    if (pool->count == pool->capacity) {
      size_t capacity = pool->capacity ? 2 * pool->capacity : 16;
      mlc_block *blocks = realloc(pool->blocks, capacity * sizeof(mlc_block));
      if (!blocks)
        return NULL;
      pool->blocks = blocks;
      pool->capacity = capacity;
    }
    block = &pool->blocks[pool->count++];
    *block = (mlc_block){NULL, 0, 0};
  }
  block->data = mlc_aligned_alloc(bytes);
  if (!block->data)
    return NULL;
  block->bytes = bytes;
  block->in_use = 1;
  return block->data;
}

void mlc_pool_give(mlc_pool *pool, void *buffer) {
  for (size_t i = 0; i < pool->count; ++i)
    if (pool->blocks[i].data == buffer)
      pool->blocks[i].in_use = 0;
}

void mlc_pool_give_all(mlc_pool *pool) {
  for (size_t i = 0; i < pool->count; ++i)
    pool->blocks[i].in_use = 0;
}

void mlc_pool_destroy(mlc_pool *pool) {
  for (size_t i = 0; i < pool->count; ++i)
    free(pool->blocks[i].data);
  free(pool->blocks);
}

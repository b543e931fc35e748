/* Internals of a context, shared by the files of runtime/core. */
#ifndef MLC_RUNTIME_CORE_CONTEXT_H
#define MLC_RUNTIME_CORE_CONTEXT_H

#include "mlc/abi.h"

#include <setjmp.h>
#include <stddef.h>

/* A buffer of the pool. */
typedef struct mlc_block {
  void *data;
  uint64_t bytes;
  int32_t in_use;
} mlc_block;

/* Buffers that a context hands out again and again. */
typedef struct mlc_pool {
  mlc_block *blocks;
  size_t count, capacity;
} mlc_pool;

/* Threads that wait for the loops of one context. */
typedef struct mlc_threads mlc_threads;

/* Starts `count` threads; NULL when the system has none left. */
mlc_threads *mlc_threads_create(int32_t count);
void mlc_threads_destroy(mlc_threads *threads);

/* An output while a run goes on. */
typedef struct mlc_output {
  mlc_tensor *tensor; /* where the result is described; NULL for a typed buffer */
  void *data;         /* the caller's buffer, or NULL */
  uint64_t capacity;
  int64_t *sizes; /* of the last run; `rank` entries */
  void *own;      /* the model's own buffer, where the caller gave none */
  uint64_t own_bytes;
  void *spare; /* takes turns with it while the last output is an input */
  uint64_t spare_bytes;
} mlc_output;

struct mlc_model {
  const mlc_model_info *info;
  const void *weights;
  void *mapping; /* of a file of weights, or NULL */
  uint64_t mapping_bytes;
  uint8_t *arena;
  mlc_threads *threads; /* NULL for a context of one thread */
  int32_t borrowed;     /* whether the threads are another context's */
  mlc_pool pool;
  mlc_output *outputs;
  const void **input_data;
  const int64_t **input_sizes;
  int64_t *typed_sizes; /* sizes of all inputs, one after the other, for the typed run */
  int64_t *symbols;
  mlc_profile profile;          /* of the runs since profiling started */
  mlc_node_info *nodes;         /* what its nodes do, also by sizes of the last run; NULL before the first start */
  mlc_node_time *times;         /* its entries; NULL before the first start */
  int32_t profiling;            /* whether runs are measured */
  uint64_t started, marked;     /* when the run began and when its last mark was, in nanoseconds */
  const mlc_listener *listener; /* of the runs; NULL where nobody listens */
  mlc_status status;            /* of the run that goes on */
  jmp_buf escape;
};

/* The thread's message, formatted; always terminated. */
mlc_status mlc_status_make(int32_t code, const char *format, ...) __attribute__((format(printf, 2, 3)));
mlc_status mlc_status_ok(void);

void *mlc_pool_take(mlc_pool *pool, uint64_t bytes);
void mlc_pool_give(mlc_pool *pool, void *buffer);
void mlc_pool_give_all(mlc_pool *pool);
void mlc_pool_destroy(mlc_pool *pool);

/* Finds, maps and checks the weights of a model. */
mlc_status mlc_weights_open(mlc_model *model, const char *path);
void mlc_weights_close(mlc_model *model);

/* The monotonic clock, in nanoseconds. */
uint64_t mlc_now(void);

/* Bytes of an element. */
uint64_t mlc_dtype_bytes(uint32_t dtype);

#endif

/* The threads of a context. They belong to it, wait between the parallel loops of a run, first spinning for some
 * microseconds, then asleep, and end with it. Ranges are static blocks, so which thread computes what does not change
 * from run to run, and no result depends on their number: a loop's iterations are independent. */
#include "runtime/core/context.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SPINS = 4000 };

typedef struct mlc_worker {
  mlc_threads *threads;
  pthread_t thread;
  int32_t index;
} mlc_worker;

struct mlc_threads {
  int32_t count; /* workers, without the calling thread */
  mlc_worker *workers;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  atomic_uint generation; /* of the loop that runs; changes wake the workers */
  atomic_int busy;        /* workers that are not done with it */
  atomic_int stop;
  void (*body)(void *captures, int64_t begin, int64_t end);
  void *captures;
  int64_t size; /* of the loop */
  int64_t parts;
};

static void run_part(mlc_threads *threads, int64_t part) {
  if (part >= threads->parts)
    return;
  int64_t begin = threads->size * part / threads->parts, end = threads->size * (part + 1) / threads->parts;
  if (begin < end)
    threads->body(threads->captures, begin, end);
}

static void pause_shortly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void *work(void *argument) {
  mlc_worker *worker = argument;
  mlc_threads *threads = worker->threads;
  unsigned seen = 0;
  for (;;) {
    unsigned now = atomic_load_explicit(&threads->generation, memory_order_acquire);
    for (int spin = 0; now == seen && spin < SPINS; ++spin) {
      pause_shortly();
      now = atomic_load_explicit(&threads->generation, memory_order_acquire);
    }
    if (now == seen) {
      pthread_mutex_lock(&threads->mutex);
      while ((now = atomic_load_explicit(&threads->generation, memory_order_acquire)) == seen)
        pthread_cond_wait(&threads->wake, &threads->mutex);
      pthread_mutex_unlock(&threads->mutex);
    }
    seen = now;
    if (atomic_load_explicit(&threads->stop, memory_order_acquire))
      return NULL;
    run_part(threads, worker->index + 1);
    atomic_fetch_sub_explicit(&threads->busy, 1, memory_order_release);
  }
}

static void start(mlc_threads *threads) {
  atomic_store_explicit(&threads->busy, threads->count, memory_order_relaxed);
  pthread_mutex_lock(&threads->mutex);
  atomic_fetch_add_explicit(&threads->generation, 1, memory_order_release);
  pthread_cond_broadcast(&threads->wake);
  pthread_mutex_unlock(&threads->mutex);
}

mlc_threads *mlc_threads_create(int32_t count) {
  mlc_threads *threads = calloc(1, sizeof *threads);
  mlc_worker *workers = calloc((size_t)count, sizeof *workers);
  if (!threads || !workers) {
    free(threads);
    free(workers);
    return NULL;
  }
  threads->workers = workers;
  pthread_mutex_init(&threads->mutex, NULL);
  pthread_cond_init(&threads->wake, NULL);
  for (int32_t i = 0; i < count; ++i) {
    workers[i] = (mlc_worker){threads, 0, i};
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
      mlc_threads_destroy(threads);
      return NULL;
    }
    threads->count = i + 1;
  }
  return threads;
}

void mlc_threads_destroy(mlc_threads *threads) {
  if (!threads)
    return;
  atomic_store_explicit(&threads->stop, 1, memory_order_release);
  start(threads);
  for (int32_t i = 0; i < threads->count; ++i)
    pthread_join(threads->workers[i].thread, NULL);
  pthread_cond_destroy(&threads->wake);
  pthread_mutex_destroy(&threads->mutex);
  free(threads->workers);
  free(threads);
}

void mlc_rt_parallel_for(mlc_frame *frame, void (*body)(void *captures, int64_t begin, int64_t end), void *captures,
                         int64_t count, int64_t grain) {
  mlc_threads *threads = frame->context->threads;
  int64_t parts = threads ? threads->count + 1 : 1, most = grain > 0 ? count / grain : count;
  if (parts > most)
    parts = most;
  if (parts <= 1) {
    if (count > 0)
      body(captures, 0, count);
    return;
  }
  threads->body = body;
  threads->captures = captures;
  threads->size = count;
  threads->parts = parts;
  start(threads);
  run_part(threads, 0);
  while (atomic_load_explicit(&threads->busy, memory_order_acquire) != 0)
    pause_shortly();
}

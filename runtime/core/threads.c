/* The threads of a context. They belong to it, wait between the parallel loops of a run, first spinning for some
 * microseconds, then asleep, and end with it. A loop is cut into a few parts a thread, which are claimed one by one: a
 * thread that the system runs late, or not at all, finds nothing left instead of holding up the others. No result
 * depends on who computes what, since a loop's iterations are independent. */
#include "runtime/core/context.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SPINS = 4000, PARTS_OF_THREAD = 4, MOST_PARTS = 0xffff };

typedef struct mlc_worker {
  mlc_threads *threads;
  pthread_t thread;
} mlc_worker;

struct mlc_threads {
  int32_t count; /* workers, without the calling thread */
  mlc_worker *workers;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  /* The loop that runs: its generation (32 bits), the number of its parts (16) and the next one to claim (16). In one
   * word, so that a thread that comes late cannot claim a part of a loop that has ended. */
  atomic_ullong claim;
  atomic_int left; /* parts that are not done */
  atomic_int stop;
  /* Read only by who holds a part; a loop does not end before. */
  void (*body)(void *captures, int64_t begin, int64_t end);
  void *captures;
  int64_t size; /* of the loop */
};

static uint32_t generation_of(uint64_t claim) { return (uint32_t)(claim >> 32); }

/* Runs parts of the loop `generation` until none is left to claim. */
static void run_parts(mlc_threads *threads, uint32_t generation) {
  unsigned long long claim = atomic_load_explicit(&threads->claim, memory_order_acquire);
  for (;;) {
    int64_t part = (int64_t)(claim & 0xffff), parts = (int64_t)(claim >> 16 & 0xffff);
    if (generation_of(claim) != generation || part >= parts)
      return;
    if (!atomic_compare_exchange_weak_explicit(&threads->claim, &claim, claim + 1, memory_order_acq_rel,
                                               memory_order_acquire))
      continue;
    int64_t begin = threads->size * part / parts, end = threads->size * (part + 1) / parts;
    if (begin < end)
      threads->body(threads->captures, begin, end);
    atomic_fetch_sub_explicit(&threads->left, 1, memory_order_release);
    claim = atomic_load_explicit(&threads->claim, memory_order_acquire);
  }
}

static void pause_shortly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void *work(void *argument) {
  mlc_worker *worker = argument;
  mlc_threads *threads = worker->threads;
  uint32_t seen = 0;
  for (;;) {
    uint32_t now = generation_of(atomic_load_explicit(&threads->claim, memory_order_acquire));
    for (int spin = 0; now == seen && spin < SPINS; ++spin) {
      pause_shortly();
      now = generation_of(atomic_load_explicit(&threads->claim, memory_order_acquire));
    }
    if (now == seen) {
      pthread_mutex_lock(&threads->mutex);
      while ((now = generation_of(atomic_load_explicit(&threads->claim, memory_order_acquire))) == seen)
        pthread_cond_wait(&threads->wake, &threads->mutex);
      pthread_mutex_unlock(&threads->mutex);
    }
    seen = now;
    if (atomic_load_explicit(&threads->stop, memory_order_acquire))
      return NULL;
    run_parts(threads, now);
  }
}

/* Starts the next loop, of `parts` parts; returns its generation. */
static uint32_t start(mlc_threads *threads, int64_t parts) {
  uint32_t generation = generation_of(atomic_load_explicit(&threads->claim, memory_order_relaxed)) + 1;
  atomic_store_explicit(&threads->left, (int)parts, memory_order_relaxed);
  pthread_mutex_lock(&threads->mutex);
  atomic_store_explicit(&threads->claim, (unsigned long long)generation << 32 | (unsigned long long)parts << 16,
                        memory_order_release);
  pthread_cond_broadcast(&threads->wake);
  pthread_mutex_unlock(&threads->mutex);
  return generation;
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
    workers[i] = (mlc_worker){threads, 0};
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
  start(threads, 0);
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
  int64_t parts = threads ? PARTS_OF_THREAD * ((int64_t)threads->count + 1) : 1,
          most = grain > 0 ? count / grain : count;
  if (parts > most)
    parts = most;
  if (parts > MOST_PARTS)
    parts = MOST_PARTS;
  if (parts <= 1) {
    if (count > 0)
      body(captures, 0, count);
    return;
  }
  threads->body = body;
  threads->captures = captures;
  threads->size = count;
  run_parts(threads, start(threads, parts));
  for (int spin = 0; atomic_load_explicit(&threads->left, memory_order_acquire) != 0; ++spin) {
    pause_shortly();
    if (spin >= SPINS) /* whoever holds the last part may wait for this processor */
      sched_yield();
  }
}

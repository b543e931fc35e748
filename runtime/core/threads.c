/* The threads of a context. They belong to it, wait between the parallel regions of a run, first spinning for some
 * microseconds, then asleep, and end with it. A region is a list of loops; those that need not wait for each other are
 * a group. The loops of a group are cut into a few parts a thread, which are claimed one by one: a thread that the
 * system runs late, or not at all, finds nothing left instead of holding up the others. Who finishes the last part of a
 * group starts the next group, so that no thread waits for another to notice; a group of one part it runs itself. No
 * result depends on who computes what, since a loop's iterations are independent. */
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
  /* The group that runs: its generation (32 bits), the number of its parts (16) and the next one to claim (16). In one
   * word, so that a thread that comes late cannot claim a part of a group that has ended. */
  atomic_ullong claim;
  atomic_int left;    /* parts of the group that are not done */
  atomic_int running; /* whether the region has parts that are not done */
  atomic_int asleep;  /* workers to wake */
  atomic_int stop;
  /* Read only by who holds a part, written only by who did the last one. */
  const mlc_step *group, *next, *end; /* first step of the group, and behind it, and behind the region */
};

static uint32_t generation_of(uint64_t claim) { return (uint32_t)(claim >> 32); }

static uint32_t current_generation(mlc_threads *threads) {
  return generation_of(atomic_load_explicit(&threads->claim, memory_order_acquire));
}

/* Runs the part `part` of the group. */
static void run_part(const mlc_threads *threads, int64_t part) {
  const mlc_step *step = threads->group;
  for (; part >= step->parts; ++step)
    part -= step->parts;
  step->body(step->captures, step->count * part / step->parts, step->count * (part + 1) / step->parts);
}

/* Lets the threads claim the `parts` parts of a new group. */
static void start(mlc_threads *threads, int64_t parts) {
  uint32_t generation = generation_of(atomic_load_explicit(&threads->claim, memory_order_relaxed)) + 1;
  atomic_store_explicit(&threads->left, (int)parts, memory_order_relaxed);
  /* In one order with `asleep`: a worker counts itself there before it looks for the last time. */
  atomic_store(&threads->claim, (unsigned long long)generation << 32 | (unsigned long long)parts << 16);
  if (atomic_load(&threads->asleep) == 0)
    return;
  pthread_mutex_lock(&threads->mutex);
  pthread_cond_broadcast(&threads->wake);
  pthread_mutex_unlock(&threads->mutex);
}

/* Goes on behind a group that is done, to the next group of several parts or to the end of the region. */
static void advance(mlc_threads *threads) {
  while (threads->next != threads->end) {
    int64_t parts = 0;
    threads->group = threads->next;
    do
      parts += threads->next++->parts;
    while (threads->next != threads->end && !threads->next->waits && parts + threads->next->parts <= MOST_PARTS);
    if (parts > 1) {
      start(threads, parts);
      return;
    }
    if (parts == 1)
      run_part(threads, 0);
  }
  atomic_store_explicit(&threads->running, 0, memory_order_release);
}

/* Runs parts until none is left to claim; returns the generation of the group that has none. */
static uint32_t run_parts(mlc_threads *threads) {
  unsigned long long claim = atomic_load_explicit(&threads->claim, memory_order_acquire);
  for (;;) {
    int64_t part = (int64_t)(claim & 0xffff), parts = (int64_t)(claim >> 16 & 0xffff);
    if (part >= parts)
      return generation_of(claim);
    if (!atomic_compare_exchange_weak_explicit(&threads->claim, &claim, claim + 1, memory_order_acq_rel,
                                               memory_order_acquire))
      continue;
    run_part(threads, part);
    if (atomic_fetch_sub_explicit(&threads->left, 1, memory_order_acq_rel) == 1)
      advance(threads);
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
  while (!atomic_load_explicit(&threads->stop, memory_order_acquire)) {
    for (int spin = 0; current_generation(threads) == seen && spin < SPINS; ++spin)
      pause_shortly();
    if (current_generation(threads) == seen) {
      pthread_mutex_lock(&threads->mutex);
      atomic_fetch_add(&threads->asleep, 1);
      while (generation_of(atomic_load(&threads->claim)) == seen)
        pthread_cond_wait(&threads->wake, &threads->mutex);
      atomic_fetch_sub(&threads->asleep, 1);
      pthread_mutex_unlock(&threads->mutex);
    }
    seen = run_parts(threads);
  }
  return NULL;
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
  start(threads, 0); /* of no parts: they wake up and see that they are to end */
  for (int32_t i = 0; i < threads->count; ++i)
    pthread_join(threads->workers[i].thread, NULL);
  pthread_cond_destroy(&threads->wake);
  pthread_mutex_destroy(&threads->mutex);
  free(threads->workers);
  free(threads);
}

/* Runs the steps on all threads of the context. */
static void run_region(mlc_threads *threads, mlc_step *steps, int64_t count) {
  int64_t most = PARTS_OF_THREAD * ((int64_t)threads->count + 1);
  if (most > MOST_PARTS)
    most = MOST_PARTS;
  for (mlc_step *step = steps; step != steps + count; ++step) {
    int64_t parts = step->grain > 0 ? step->count / step->grain : step->count;
    parts = parts < 1 ? step->count > 0 : parts;
    step->parts = parts < most ? parts : most;
  }
  threads->next = steps;
  threads->end = steps + count;
  atomic_store_explicit(&threads->running, 1, memory_order_relaxed);
  advance(threads);
  uint32_t seen = run_parts(threads);
  for (int spin = 0; atomic_load_explicit(&threads->running, memory_order_acquire) != 0; ++spin) {
    pause_shortly();
    if (spin >= SPINS) /* whoever holds the last part may wait for this processor */
      sched_yield();
    if (current_generation(threads) != seen) {
      seen = run_parts(threads);
      spin = 0;
    }
  }
}

void mlc_rt_parallel(mlc_frame *frame, mlc_step *steps, int64_t count) {
  mlc_threads *threads = frame->context->threads;
  if (threads && !frame->profile) {
    run_region(threads, steps, count);
    return;
  }
  for (mlc_step *step = steps; step != steps + count; ++step) {
    if (threads)
      run_region(threads, step, 1);
    else if (step->count > 0)
      step->body(step->captures, 0, step->count);
    if (frame->profile && step->node >= 0)
      mlc_rt_mark(frame, (uint32_t)step->node);
  }
}

// A pool of threads for regions of microseconds: a waiting thread first spins, then sleeps.
#define _GNU_SOURCE
#include "CKernels.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// How long a thread spins before it sleeps: longer than the gaps between the regions of a step.
#define SPIN_NANOSECONDS 200000

struct ck_pool {
  int count;                  // threads of the pool, the caller's not counted
  _Atomic uint32_t region;    // the number of the present region
  _Atomic uint32_t left;      // threads that have not finished it
  _Atomic uint32_t sleepers;  // threads that wait in the kernel
  void (*body)(void *context, int worker);
  void *context;
};

struct start {
  ck_pool *pool;
  int worker;
};

static long futex(_Atomic uint32_t *address, int operation, uint32_t value) {
  return syscall(SYS_futex, address, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  __asm__ volatile("" ::: "memory");
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Waits until `*value` is no longer `old`.
static void wait_change(ck_pool *pool, _Atomic uint32_t *value, uint32_t old) {
  int64_t end = nanoseconds() + SPIN_NANOSECONDS;
  for (int turn = 1; atomic_load_explicit(value, memory_order_acquire) == old; turn++) {
    relax();
    if (turn % 256 == 0 && nanoseconds() > end) {
      atomic_fetch_add(&pool->sleepers, 1);
      while (atomic_load(value) == old) futex(value, FUTEX_WAIT, old);
      atomic_fetch_sub(&pool->sleepers, 1);
      return;
    }
  }
}

static void *work(void *argument) {
  struct start *start = argument;
  ck_pool *pool = start->pool;
  int worker = start->worker;
  free(start);
  uint32_t region = 0;
  for (;;) {
    wait_change(pool, &pool->region, region);
    region++;
    pool->body(pool->context, worker);
    if (atomic_fetch_sub(&pool->left, 1) == 1 && atomic_load(&pool->sleepers))
      futex(&pool->left, FUTEX_WAKE, 1);
  }
  return NULL;
}

ck_pool *ck_pool_create(int count) {
  ck_pool *pool = calloc(1, sizeof *pool);
  if (!pool) return NULL;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 1 << 20);
  for (int worker = 1; worker < count; worker++) {
    struct start *start = malloc(sizeof *start);
    pthread_t thread;
    if (!start) break;
    *start = (struct start){pool, worker};
    if (pthread_create(&thread, &attributes, work, start) != 0) {
      free(start);
      break;
    }
    pool->count++;
  }
  pthread_attr_destroy(&attributes);
  return pool;
}

int ck_pool_count(const ck_pool *pool) { return pool->count + 1; }

void ck_pool_run(ck_pool *pool, void (*body)(void *context, int worker), void *context) {
  if (pool->count == 0) {
    body(context, 0);
    return;
  }
  // Whichever thread ran the region before, its workers have read what is written now.
  while (atomic_load_explicit(&pool->left, memory_order_acquire) != 0) relax();
  pool->body = body;
  pool->context = context;
  atomic_store(&pool->left, (uint32_t)pool->count);
  atomic_fetch_add(&pool->region, 1);
  if (atomic_load(&pool->sleepers)) futex(&pool->region, FUTEX_WAKE, (uint32_t)pool->count);
  body(context, 0);
  for (;;) {
    uint32_t left = atomic_load_explicit(&pool->left, memory_order_acquire);
    if (left == 0) return;
    wait_change(pool, &pool->left, left);
  }
}

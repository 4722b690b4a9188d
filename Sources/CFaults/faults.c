#define _GNU_SOURCE
#include "CFaults.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// A handler may run while an entry changes: an entry counts while its name is set, and the name is
// set last and taken away first. Names of files that are gone are kept until their place is used
// again, so that a handler never reads freed memory.
struct entry {
  _Atomic(const char *) name;
  atomic_uintptr_t start;
  atomic_size_t size;
  char *memory;
};

enum { ENTRIES = 256 };
static struct entry mappings[ENTRIES];
static struct entry temporaries[ENTRIES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int enter(struct entry *table, uintptr_t start, size_t size, const char *path) {
  char *copy = strdup(path);
  if (!copy) return -1;
  pthread_mutex_lock(&lock);
  int number = -1;
  for (int i = 0; i < ENTRIES && number < 0; i++) {
    if (!atomic_load(&table[i].name)) number = i;
  }
  if (number >= 0) {
    free(table[number].memory);
    table[number].memory = copy;
    atomic_store(&table[number].start, start);
    atomic_store(&table[number].size, size);
    atomic_store(&table[number].name, copy);
  } else {
    free(copy);
  }
  pthread_mutex_unlock(&lock);
  return number;
}

static void forget(struct entry *table, int number) {
  if (number >= 0 && number < ENTRIES) atomic_store(&table[number].name, NULL);
}

int cf_register_mapping(const void *start, size_t size, const char *path) {
  return enter(mappings, (uintptr_t)start, size, path);
}
void cf_forget_mapping(int number) { forget(mappings, number); }

int cf_register_temporary(const char *path) { return enter(temporaries, 0, 0, path); }
void cf_forget_temporary(int number) { forget(temporaries, number); }

static void remove_temporaries(void) {
  for (int i = 0; i < ENTRIES; i++) {
    const char *name = atomic_load(&temporaries[i].name);
    if (name) unlink(name);
  }
}

// Interruptions.

static atomic_int first_signal;
static atomic_int pending;

static void interrupted(int signal) {
  int none = 0;
  if (atomic_compare_exchange_strong(&first_signal, &none, signal)) {
    atomic_store(&pending, 1);
    return;
  }
  remove_temporaries();
  _exit(128 + signal);
}

void cf_watch_interruptions(void) {
  struct sigaction action = {.sa_handler = interrupted, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  const int signals[] = {SIGHUP, SIGINT, SIGTERM};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    int signal = signals[i];
    struct sigaction old;
    // Who starts us with a signal ignored (nohup, a shell's background job) wants it ignored.
    if (sigaction(signal, NULL, &old) == 0 && old.sa_handler == SIG_IGN) continue;
    sigaction(signal, &action, NULL);
  }
}

int cf_interruption(void) { return atomic_load(&first_signal); }
int cf_is_interrupted(void) { return atomic_load_explicit(&pending, memory_order_relaxed); }
void cf_acknowledge(void) { atomic_store(&pending, 0); }

// Faults.

static const char *program_name = "imprint";

static void say(const char *text) {
  ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
  (void)ignored;
}

static void fault(int signal, siginfo_t *info, void *context) {
  (void)context;
  uintptr_t address = (uintptr_t)info->si_addr;
  for (int i = 0; i < ENTRIES; i++) {
    const char *name = atomic_load(&mappings[i].name);
    if (!name) continue;
    uintptr_t start = atomic_load(&mappings[i].start);
    if (address < start || address - start >= atomic_load(&mappings[i].size)) continue;
    say(program_name);
    say(": ");
    say(name);
    say(": was made shorter while it was in use, or cannot be read from its disk\n");
    remove_temporaries();
    _exit(1);
  }
  // Not one of ours: as if there were no handler.
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigaction(signal, &action, NULL);
}

void cf_watch_faults(const char *program) {
  char *copy = strdup(program);
  if (copy) program_name = copy;
  struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
  signal(SIGXFSZ, SIG_IGN);
}

void cf_end_with(int parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) raise(SIGKILL);
}

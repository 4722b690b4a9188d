// Signals: interruptions that are noticed, mapped files that shrink. Handlers call only functions
// that are async-signal-safe (signal-safety(7)).
#pragma once
#include <stddef.h>

// Takes SIGHUP, SIGINT and SIGTERM from now on. The first is noted; a second one removes the registered
// temporary files and ends the process at once with 128 + its number.
void cf_watch_interruptions(void);

// Has reading beyond the end of a mapped file (SIGBUS) end the process with one line that names
// the program and the file, and exit code 1; a file that grows beyond RLIMIT_FSIZE becomes an
// error of write instead of a signal.
void cf_watch_faults(const char *program);

// Has the kernel end this process (SIGKILL) with its parent, whose id is given; where that is gone
// already, now.
void cf_end_with(int parent);

// The signal that came first, or 0.
int cf_interruption(void);

// Whether it has come and was not acknowledged.
int cf_is_interrupted(void);

// From now on cf_is_interrupted says no; a second signal still ends the process.
void cf_acknowledge(void);

// Enters a mapping; the name is copied. Returns its number for cf_forget_mapping, or -1 where the
// table is full or there is no memory: then a fault in it is not explained.
int cf_register_mapping(const void *start, size_t size, const char *path);
void cf_forget_mapping(int number);

// The same for a temporary file that goes when the process is ended.
int cf_register_temporary(const char *path);
void cf_forget_temporary(int number);

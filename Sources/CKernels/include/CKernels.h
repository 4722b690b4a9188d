// The C side of the engine. Every kernel exists for f32 (`_f32`) and f64 (`_f64`), works on the
// calling thread and allocates nothing. Matrices are row-major; `ld…` is the distance between rows.
#pragma once
#include <stddef.h>
#include <stdint.h>

// The number of processors that this process may run on (sched_getaffinity).
int ck_processor_count(void);

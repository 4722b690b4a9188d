#include "template.h"

#define REAL float
#define FN(name) ck_##name##_f32
#include "dropout.inc"
#undef REAL
#undef FN
#define REAL double
#define FN(name) ck_##name##_f64
#include "dropout.inc"

#include "template.h"

// Sums may be reassociated: they become vector sums.
#pragma clang fp reassociate(on) contract(fast)

#define REAL float
#define FN(name) ck_##name##_f32
#define EXP ck_exp_f32
#include "rotary.inc"
#undef REAL
#undef FN
#undef EXP
#define REAL double
#define FN(name) ck_##name##_f64
#define EXP ck_exp_f64
#include "rotary.inc"

// Included once for each element type by every kernel file, with REAL, FN and EXP defined.
// What all kernel files share.
#pragma once
#include "CKernels.h"
#include <math.h>
#include <string.h>

// One clone for AVX-512, one for AVX2 with FMA, one for the rest; the loader picks at start.
#if defined(__x86_64__) && !defined(CK_NO_CLONES)
#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define CK_CLONES
#endif
#endif
#ifndef CK_CLONES
#define CK_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#else
#define CK_CLONES
#endif

// e^x for f32, at most 2 ulp off for -87 < x < 88 and clamped to that range; NaN stays NaN. Loops over
// it become vector code. Cody-Waite reduction to |r| <= ln 2 / 2 and the Taylor polynomial of degree 7.
// Defined before the files loosen floating point: its subtractions must stay in their order.
static inline float ck_exp_f32(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  // Adding 1.5 * 2^23 rounds to the nearest integer k, which is then in the sum's lowest bits. A
  // conversion to an integer would do, too, but is undefined for NaN.
  float shifted = x * 1.44269504088896341f + 12582912.0f;
  float n = shifted - 12582912.0f;
  float r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  uint32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + (127u << 23);  // 2^k: the sum's own exponent is shifted out
  float power;
  memcpy(&power, &bits, sizeof power);
  return p * power;
}

static inline double ck_exp_f64(double x) { return exp(x); }

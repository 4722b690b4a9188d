// Stored elements to f32. Block layouts and formulas: ggml's specification of its quantised types
// (`ggml-common.h`, `ggml-quants.c`, dequantize_row_*); each product is taken in the same order, so
// that the results have the same bits.
#include "clones.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// The order of roundings is part of the format.
#pragma clang fp contract(off)

CC_CLONES static void from_f16(const uint8_t *s, float *t, size_t n) {
  for (size_t i = 0; i < n; i++) t[i] = cc_f16_f32(cc_load_u16(s + 2 * i));
}

CC_CLONES static void from_bf16(const uint8_t *s, float *t, size_t n) {
  for (size_t i = 0; i < n; i++) t[i] = cc_bits_f32((uint32_t)cc_load_u16(s + 2 * i) << 16);
}

// { f16 d; i8 q[32] }: d q
CC_CLONES static void from_q8_0(const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 32; b++, s += 34, t += 32) {
    float d = cc_f16_f32(cc_load_u16(s));
    const int8_t *q = (const int8_t *)(s + 2);
    for (int j = 0; j < 32; j++) t[j] = (float)q[j] * d;
  }
}

// { f16 d; u8 q[16] }: d (q - 8); low nibbles first
CC_CLONES static void from_q4_0(const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 32; b++, s += 18, t += 32) {
    float d = cc_f16_f32(cc_load_u16(s));
    // Nibbles first, so that each loop is one conversion that the compiler vectorises.
    int8_t q[32];
    for (int j = 0; j < 16; j++) q[j] = (int8_t)((s[2 + j] & 15) - 8);
    for (int j = 0; j < 16; j++) q[j + 16] = (int8_t)((s[2 + j] >> 4) - 8);
    for (int j = 0; j < 32; j++) t[j] = (float)q[j] * d;
  }
}

// { f16 d, m; u8 q[16] }: d q + m
CC_CLONES static void from_q4_1(const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 32; b++, s += 20, t += 32) {
    float d = cc_f16_f32(cc_load_u16(s));
    float m = cc_f16_f32(cc_load_u16(s + 2));
    const uint8_t *q = s + 4;
    for (int j = 0; j < 16; j++) t[j] = (float)(q[j] & 15) * d + m;
    for (int j = 0; j < 16; j++) t[j + 16] = (float)(q[j] >> 4) * d + m;
  }
}

#if defined(__x86_64__)
// The two commonest types with their own vector code; multiplied and added apart, as above.
__attribute__((target("avx512f,f16c"))) static void from_q4_1_512(
  const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 32; b++, s += 20, t += 32) {
    __m128i packed = _mm_loadu_si128((const __m128i *)(s + 4));
    __m128i mask = _mm_set1_epi8(15);
    __m512 d = _mm512_set1_ps(_cvtsh_ss(cc_load_u16(s)));
    __m512 m = _mm512_set1_ps(_cvtsh_ss(cc_load_u16(s + 2)));
    __m512i low = _mm512_cvtepu8_epi32(_mm_and_si128(packed, mask));
    __m512i high = _mm512_cvtepu8_epi32(_mm_and_si128(_mm_srli_epi16(packed, 4), mask));
    _mm512_storeu_ps(t, _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(low), d), m));
    _mm512_storeu_ps(t + 16, _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(high), d), m));
  }
}

__attribute__((target("avx2,f16c"))) static void from_q4_1_256(
  const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 32; b++, s += 20, t += 32) {
    __m128i packed = _mm_loadu_si128((const __m128i *)(s + 4));
    __m128i mask = _mm_set1_epi8(15);
    __m256 d = _mm256_set1_ps(_cvtsh_ss(cc_load_u16(s)));
    __m256 m = _mm256_set1_ps(_cvtsh_ss(cc_load_u16(s + 2)));
    __m128i halves[2] = {
      _mm_and_si128(packed, mask), _mm_and_si128(_mm_srli_epi16(packed, 4), mask)};
    for (int h = 0; h < 2; h++) {
      __m256i first = _mm256_cvtepu8_epi32(halves[h]);
      __m256i second = _mm256_cvtepu8_epi32(_mm_srli_si128(halves[h], 8));
      _mm256_storeu_ps(
        t + 16 * h, _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(first), d), m));
      _mm256_storeu_ps(
        t + 16 * h + 8, _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(second), d), m));
    }
  }
}

__attribute__((target("avx512f,f16c"))) static void from_q8_0_512(
  const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 32; b++, s += 34, t += 32) {
    __m512 d = _mm512_set1_ps(_cvtsh_ss(cc_load_u16(s)));
    for (int h = 0; h < 2; h++) {
      __m512i q = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(s + 2 + 16 * h)));
      _mm512_storeu_ps(t + 16 * h, _mm512_mul_ps(_mm512_cvtepi32_ps(q), d));
    }
  }
}

static int has_512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("f16c");
}

static int has_256(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
}
#endif

// { f16 d; u32 high; u8 q[16] }: d (q - 16) with the fifth bit from high
CC_CLONES static void from_q5_0(const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 32; b++, s += 22, t += 32) {
    float d = cc_f16_f32(cc_load_u16(s));
    uint32_t high;
    memcpy(&high, s + 2, 4);
    const uint8_t *q = s + 6;
    for (int j = 0; j < 16; j++)
      t[j] = (float)((int)((q[j] & 15) | ((high >> j) << 4 & 16)) - 16) * d;
    for (int j = 0; j < 16; j++)
      t[j + 16] = (float)((int)((q[j] >> 4) | ((high >> (j + 16)) << 4 & 16)) - 16) * d;
  }
}

// { f16 d, m; u32 high; u8 q[16] }: d q + m
CC_CLONES static void from_q5_1(const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 32; b++, s += 24, t += 32) {
    float d = cc_f16_f32(cc_load_u16(s));
    float m = cc_f16_f32(cc_load_u16(s + 2));
    uint32_t high;
    memcpy(&high, s + 4, 4);
    const uint8_t *q = s + 8;
    for (int j = 0; j < 16; j++) t[j] = (float)((q[j] & 15) | ((high >> j) << 4 & 16)) * d + m;
    for (int j = 0; j < 16; j++)
      t[j + 16] = (float)((q[j] >> 4) | ((high >> (j + 16)) << 4 & 16)) * d + m;
  }
}

// Scale and minimum j of the 12 packed bytes of q4_K and q5_K, 6 bits each.
static inline void scale_min(int j, const uint8_t *p, uint8_t *scale, uint8_t *min) {
  if (j < 4) {
    *scale = p[j] & 63;
    *min = p[j + 4] & 63;
  } else {
    *scale = (p[j + 4] & 15) | ((p[j - 4] >> 6) << 4);
    *min = (p[j + 4] >> 4) | ((p[j] >> 6) << 4);
  }
}

// { f16 d, dmin; u8 scales[12]; u8 q[128] }: d scale q - dmin min, in groups of 32
CC_CLONES static void from_q4_K(const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 256; b++, s += 144) {
    float d = cc_f16_f32(cc_load_u16(s));
    float dmin = cc_f16_f32(cc_load_u16(s + 2));
    const uint8_t *q = s + 16;
    for (int g = 0; g < 4; g++, q += 32, t += 64) {
      uint8_t scale, min;
      scale_min(2 * g, s + 4, &scale, &min);
      float d1 = d * scale, m1 = dmin * min;
      scale_min(2 * g + 1, s + 4, &scale, &min);
      float d2 = d * scale, m2 = dmin * min;
      for (int j = 0; j < 32; j++) t[j] = d1 * (float)(q[j] & 15) - m1;
      for (int j = 0; j < 32; j++) t[j + 32] = d2 * (float)(q[j] >> 4) - m2;
    }
  }
}

// { f16 d, dmin; u8 scales[12]; u8 high[32]; u8 q[128] }
CC_CLONES static void from_q5_K(const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 256; b++, s += 176) {
    float d = cc_f16_f32(cc_load_u16(s));
    float dmin = cc_f16_f32(cc_load_u16(s + 2));
    const uint8_t *high = s + 16;
    const uint8_t *q = s + 48;
    for (int g = 0; g < 4; g++, q += 32, t += 64) {
      uint8_t scale, min;
      scale_min(2 * g, s + 4, &scale, &min);
      float d1 = d * scale, m1 = dmin * min;
      scale_min(2 * g + 1, s + 4, &scale, &min);
      float d2 = d * scale, m2 = dmin * min;
      for (int j = 0; j < 32; j++)
        t[j] = d1 * (float)((q[j] & 15) + ((high[j] >> (2 * g) & 1) << 4)) - m1;
      for (int j = 0; j < 32; j++)
        t[j + 32] = d2 * (float)((q[j] >> 4) + ((high[j] >> (2 * g + 1) & 1) << 4)) - m2;
    }
  }
}

// { u8 low[128]; u8 high[64]; i8 scales[16]; f16 d }: d scale (q - 32), in groups of 16
CC_CLONES static void from_q6_K(const uint8_t *s, float *t, size_t n) {
  for (size_t b = 0; b < n / 256; b++, s += 210) {
    const uint8_t *low = s;
    const uint8_t *high = s + 128;
    const int8_t *scales = (const int8_t *)(s + 192);
    float d = cc_f16_f32(cc_load_u16(s + 208));
    for (int half = 0; half < 2; half++, t += 128, low += 64, high += 32, scales += 8) {
      // One output run of 16 a loop, so that its scale is a constant.
      for (int part = 0; part < 2; part++) {
        const uint8_t *l = low + 16 * part, *h = high + 16 * part;
        float *r = t + 16 * part;
        float d1 = d * (float)scales[part], d2 = d * (float)scales[part + 2];
        float d3 = d * (float)scales[part + 4], d4 = d * (float)scales[part + 6];
        for (int j = 0; j < 16; j++)
          r[j] = d1 * (float)((int)((l[j] & 15) | (h[j] & 3) << 4) - 32);
        for (int j = 0; j < 16; j++)
          r[j + 32] = d2 * (float)((int)((l[j + 32] & 15) | (h[j] >> 2 & 3) << 4) - 32);
        for (int j = 0; j < 16; j++)
          r[j + 64] = d3 * (float)((int)((l[j] >> 4) | (h[j] >> 4 & 3) << 4) - 32);
        for (int j = 0; j < 16; j++)
          r[j + 96] = d4 * (float)((int)((l[j + 32] >> 4) | (h[j] >> 6) << 4) - 32);
      }
    }
  }
}

int cc_to_f32(uint8_t type, const void *source, float *target, size_t count) {
#if defined(__x86_64__)
  if (type == CC_Q4_1 && has_512()) return from_q4_1_512(source, target, count), 0;
  if (type == CC_Q8_0 && has_512()) return from_q8_0_512(source, target, count), 0;
  if (type == CC_Q4_1 && has_256()) return from_q4_1_256(source, target, count), 0;
#endif
  switch (type) {
    case CC_F32: memcpy(target, source, 4 * count); return 0;
    case CC_F16: from_f16(source, target, count); return 0;
    case CC_BF16: from_bf16(source, target, count); return 0;
    case CC_Q8_0: from_q8_0(source, target, count); return 0;
    case CC_Q4_0: from_q4_0(source, target, count); return 0;
    case CC_Q4_1: from_q4_1(source, target, count); return 0;
    case CC_Q5_0: from_q5_0(source, target, count); return 0;
    case CC_Q5_1: from_q5_1(source, target, count); return 0;
    case CC_Q4_K: from_q4_K(source, target, count); return 0;
    case CC_Q5_K: from_q5_K(source, target, count); return 0;
    case CC_Q6_K: from_q6_K(source, target, count); return 0;
    default: return -1;
  }
}

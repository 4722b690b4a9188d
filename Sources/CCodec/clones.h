#pragma once
#include "CCodec.h"
#include <string.h>

// One clone for AVX-512, one for AVX2, one for the rest; the loader picks at start.
#if defined(__x86_64__) && !__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer)
#define CC_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CC_CLONES
#endif

// Raw values of WeightType.
enum {
  CC_F32 = 0, CC_F16 = 1, CC_BF16 = 2,
  CC_Q8_0 = 16, CC_Q4_0 = 17, CC_Q4_1 = 18, CC_Q5_0 = 19, CC_Q5_1 = 20,
  CC_Q4_K = 21, CC_Q5_K = 22, CC_Q6_K = 23,
};

static inline float cc_bits_f32(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// binary16 to binary32 without branches: exact for every input, NaN payloads included.
static inline float cc_f16_f32(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
  uint32_t rest = (uint32_t)(h & 0x7fffu) << 13;
  uint32_t normal = rest + (112u << 23);
  uint32_t infinite = rest + (224u << 23);
  // A subnormal is its fraction times 2^-24.
  float small = (float)(h & 0x7fffu) * 0x1p-24f;
  uint32_t subnormal;
  memcpy(&subnormal, &small, sizeof subnormal);
  uint32_t magnitude = (h & 0x7c00u) == 0x7c00u ? infinite : normal;
  magnitude = (h & 0x7c00u) == 0 ? subnormal : magnitude;
  return cc_bits_f32(sign | magnitude);
}

static inline uint16_t cc_load_u16(const uint8_t *p) {
  uint16_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

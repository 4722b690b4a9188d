// What splitting and joining share: the coded byte of an element and the rest of it.
//
// The coded byte of bf16 and f32 is the exponent, bits 30 ... 23 of the f32 value; of f16 it is the
// high byte rotated left by one (exponent, two fraction bits, sign).
#pragma once
#include "clones.h"

#define CC_INLINE static inline __attribute__((always_inline))

// Elements that are coded together: one 8-byte word of every plane.
enum { CC_RUN = 64 };

CC_INLINE uint8_t cc_zigzag(uint8_t distance) {
  return (uint8_t)(distance << 1) ^ (uint8_t)(0 - (distance >> 7));
}

CC_INLINE uint8_t cc_unzigzag(uint8_t z) { return z >> 1 ^ (uint8_t)(0 - (z & 1)); }

// The coded byte of an f16, or of the upper half of an f32; `rest` is what it leaves of the half.
CC_INLINE uint8_t cc_take(uint8_t type, uint16_t half, uint8_t *rest) {
  if (type == CC_F16) {
    uint8_t high = (uint8_t)(half >> 8);
    *rest = (uint8_t)half;
    return (uint8_t)(high << 1 | high >> 7);
  }
  *rest = (uint8_t)((half >> 8 & 0x80) | (half & 0x7f));
  return (uint8_t)(half >> 7);
}

// The reverse of cc_take.
CC_INLINE uint16_t cc_give(uint8_t type, uint8_t coded, uint8_t rest) {
  if (type == CC_F16) {
    uint8_t high = (uint8_t)(coded >> 1 | coded << 7);
    return (uint16_t)(high << 8 | rest);
  }
  return (uint16_t)((rest & 0x80) << 8 | coded << 7 | (rest & 0x7f));
}

// The 8 × 8 bit matrix whose rows are the bytes of `x`, transposed. Its own inverse.
// Source: Warren, Hacker's Delight, 2nd edition, section 7-3.
CC_INLINE uint64_t cc_transpose8(uint64_t x) {
  uint64_t t = (x ^ x >> 7) & 0x00aa00aa00aa00aaull;
  x ^= t ^ t << 7;
  t = (x ^ x >> 14) & 0x0000cccc0000ccccull;
  x ^= t ^ t << 14;
  t = (x ^ x >> 28) & 0x00000000f0f0f0f0ull;
  return x ^ t ^ t << 28;
}

// The reversible transform of floating-point blocks, forwards: exponents as bit planes.
#include "planes.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the weight file is read and written by little-endian machines only"
#endif

CC_INLINE uint16_t upper_half(uint8_t type, const uint8_t *source, size_t i) {
  return type == CC_F32 ? cc_load_u16(source + 4 * i + 2) : cc_load_u16(source + 2 * i);
}

static uint8_t commonest(uint8_t type, const uint8_t *source, size_t count) {
  uint32_t histogram[256] = {0};
  uint8_t rest, mode = 0;
  for (size_t i = 0; i < count; i++) histogram[cc_take(type, upper_half(type, source, i), &rest)]++;
  for (int v = 1; v < 256; v++)
    if (histogram[v] > histogram[mode]) mode = (uint8_t)v;
  return mode;
}

uint8_t cc_split(
  uint8_t type, const void *source, size_t count, uint8_t *planes, uint8_t *rest) {
  const uint8_t *s = source;
  size_t stride = cc_plane_bytes(count);
  uint8_t mode = commonest(type, s, count);
  memset(planes, 0, 8 * stride);
  for (size_t start = 0; start < count; start += 8) {
    uint8_t z[8] = {0};
    size_t end = count - start < 8 ? count - start : 8;
    for (size_t i = 0; i < end; i++) {
      uint8_t coded = cc_take(type, upper_half(type, s, start + i), rest + start + i);
      z[i] = cc_zigzag((uint8_t)(coded - mode));
    }
    uint64_t word;
    memcpy(&word, z, 8);
    word = cc_transpose8(word);
    for (int p = 0; p < 8; p++) planes[p * stride + start / 8] = (uint8_t)(word >> 8 * p);
  }
  if (type == CC_F32)
    for (size_t i = 0; i < count; i++) memcpy(rest + count + 2 * i, s + 4 * i, 2);
  return mode;
}

int cc_is_bf16(const void *f32, size_t count) {
  const uint8_t *s = f32;
  uint16_t any = 0;
  for (size_t i = 0; i < count; i++) any |= cc_load_u16(s + 4 * i);
  return any == 0;
}

void cc_truncate_bf16(const void *f32, void *bf16, size_t count) {
  const uint8_t *s = f32;
  uint8_t *t = bf16;
  for (size_t i = 0; i < count; i++) memcpy(t + 2 * i, s + 4 * i + 2, 2);
}

// The reversible transform of floating-point blocks: exponents as bit planes.
//
// The coded byte of bf16 and f32 is the exponent, bits 30 ... 23 of the f32 value; of f16 it is the
// high byte rotated left by one (exponent, two fraction bits, sign).
#include "clones.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static inline uint8_t zigzag(uint8_t distance) {
  return (uint8_t)(distance << 1) ^ (uint8_t)(0 - (distance >> 7));
}

static inline uint8_t unzigzag(uint8_t z) { return z >> 1 ^ (uint8_t)(0 - (z & 1)); }

// The coded byte and, for 2-byte types, the other.
static inline void take(uint8_t type, uint16_t v, uint8_t *coded, uint8_t *rest) {
  if (type == CC_F16) {
    uint8_t high = (uint8_t)(v >> 8);
    *coded = (uint8_t)(high << 1 | high >> 7);
    *rest = (uint8_t)v;
  } else {
    *coded = (uint8_t)(v >> 7);
    *rest = (uint8_t)((v >> 8 & 0x80) | (v & 0x7f));
  }
}

static inline uint16_t give(uint8_t type, uint8_t coded, uint8_t rest) {
  if (type == CC_F16) {
    uint8_t high = (uint8_t)(coded >> 1 | coded << 7);
    return (uint16_t)(high << 8 | rest);
  }
  return (uint16_t)((rest & 0x80) << 8 | coded << 7 | (rest & 0x7f));
}

static inline uint16_t upper(uint8_t type, const uint8_t *source, size_t i) {
  return type == CC_F32 ? cc_load_u16(source + 4 * i + 2) : cc_load_u16(source + 2 * i);
}

uint8_t cc_split(
  uint8_t type, const void *source, size_t count, uint8_t *planes, uint8_t *rest) {
  const uint8_t *s = source;
  size_t stride = cc_plane_bytes(count);
  uint32_t histogram[256] = {0};
  for (size_t i = 0; i < count; i++) {
    uint8_t coded, other;
    take(type, upper(type, s, i), &coded, &other);
    histogram[coded]++;
  }
  uint8_t mode = 0;
  for (int v = 1; v < 256; v++)
    if (histogram[v] > histogram[mode]) mode = (uint8_t)v;
  memset(planes, 0, 8 * stride);
  for (size_t i = 0; i < count; i++) {
    uint8_t coded;
    take(type, upper(type, s, i), &coded, &rest[i]);
    uint8_t z = zigzag((uint8_t)(coded - mode));
    for (int p = 0; p < 8; p++) planes[p * stride + i / 8] |= (uint8_t)((z >> p & 1) << (i % 8));
    if (type == CC_F32) memcpy(rest + count + 2 * i, s + 4 * i, 2);
  }
  return mode;
}

// The coded bytes of 64 elements from byte `at` of every plane.
static inline void gather64(
  const uint8_t *planes, size_t stride, size_t at, uint8_t mode, uint8_t *coded) {
  memset(coded, 0, 64);
  for (int p = 0; p < 8; p++)
    for (int i = 0; i < 64; i++)
      coded[i] |= (uint8_t)((planes[p * stride + at + i / 8] >> (i % 8) & 1) << p);
  for (int i = 0; i < 64; i++) coded[i] = (uint8_t)(unzigzag(coded[i]) + mode);
}

void cc_join(
  uint8_t type, uint8_t mode, const uint8_t *planes, const uint8_t *rest, size_t count,
  void *target) {
  uint8_t *t = target;
  size_t stride = cc_plane_bytes(count);
  for (size_t start = 0; start < count; start += 64) {
    uint8_t coded[64];
    gather64(planes, stride, start / 8, mode, coded);
    size_t end = count - start < 64 ? count - start : 64;
    for (size_t i = 0; i < end; i++) {
      uint16_t v = give(type, coded[i], rest[start + i]);
      if (type == CC_F32) {
        memcpy(t + 4 * (start + i), rest + count + 2 * (start + i), 2);
        memcpy(t + 4 * (start + i) + 2, &v, 2);
      } else {
        memcpy(t + 2 * (start + i), &v, 2);
      }
    }
  }
}

static void join_run(
  uint8_t type, uint8_t mode, const uint8_t *planes, const uint8_t *rest, size_t total,
  size_t first, size_t count, float *target) {
  size_t stride = cc_plane_bytes(total);
  for (size_t start = first; start < first + count; start += 64) {
    uint8_t coded[64];
    gather64(planes, stride, start / 8, mode, coded);
    size_t end = first + count - start < 64 ? first + count - start : 64;
    for (size_t i = 0; i < end; i++) {
      uint16_t v = give(type, coded[i], rest[start + i]);
      uint32_t low = type == CC_F32 ? cc_load_u16(rest + total + 2 * (start + i)) : 0;
      target[start - first + i] =
        type == CC_F16 ? cc_f16_f32(v) : cc_bits_f32((uint32_t)v << 16 | low);
    }
  }
}

#if defined(__x86_64__)
// 64 coded bytes: every plane's 64 bits are a mask of bytes.
__attribute__((target("avx512f,avx512bw"))) static inline __m512i gather512(
  const uint8_t *planes, size_t stride, size_t at, __m512i mode) {
  __m512i z = _mm512_setzero_si512();
  for (int p = 0; p < 8; p++) {
    uint64_t bits;
    memcpy(&bits, planes + p * stride + at, 8);
    z = _mm512_or_si512(z, _mm512_maskz_set1_epi8(bits, (char)(1 << p)));
  }
  __m512i one = _mm512_set1_epi8(1);
  __m512i half = _mm512_and_si512(_mm512_srli_epi16(z, 1), _mm512_set1_epi8(0x7f));
  __m512i sign = _mm512_sub_epi8(_mm512_setzero_si512(), _mm512_and_si512(z, one));
  return _mm512_add_epi8(_mm512_xor_si512(half, sign), mode);
}

__attribute__((target("avx512f,avx512bw"))) static void join_bf16_512(
  uint8_t mode, const uint8_t *planes, const uint8_t *rest, size_t total, size_t first,
  size_t count, float *target) {
  size_t stride = cc_plane_bytes(total);
  __m512i modes = _mm512_set1_epi8((char)mode);
  size_t done = 0;
  for (; done + 64 <= count; done += 64) {
    __m512i coded = gather512(planes, stride, (first + done) / 8, modes);
    __m512i other = _mm512_loadu_si512(rest + first + done);
    for (int q = 0; q < 4; q++) {
      __m128i e8, r8;
      switch (q) {
        case 0: e8 = _mm512_extracti32x4_epi32(coded, 0); r8 = _mm512_extracti32x4_epi32(other, 0); break;
        case 1: e8 = _mm512_extracti32x4_epi32(coded, 1); r8 = _mm512_extracti32x4_epi32(other, 1); break;
        case 2: e8 = _mm512_extracti32x4_epi32(coded, 2); r8 = _mm512_extracti32x4_epi32(other, 2); break;
        default: e8 = _mm512_extracti32x4_epi32(coded, 3); r8 = _mm512_extracti32x4_epi32(other, 3);
      }
      __m512i e = _mm512_slli_epi32(_mm512_cvtepu8_epi32(e8), 23);
      // Sign-extended, the rest's sign is in bit 31; its fraction moves to bits 22 ... 16.
      __m512i r = _mm512_cvtepi8_epi32(r8);
      __m512i s = _mm512_and_si512(r, _mm512_set1_epi32((int)0x80000000u));
      __m512i m = _mm512_slli_epi32(_mm512_and_si512(r, _mm512_set1_epi32(0x7f)), 16);
      _mm512_storeu_si512(
        target + done + 16 * q, _mm512_or_si512(_mm512_or_si512(e, s), m));
    }
  }
  if (done < count)
    join_run(CC_BF16, mode, planes, rest, total, first + done, count - done, target + done);
}

// 32 coded bytes with AVX2: spread each plane's bits over bytes and compare.
__attribute__((target("avx2"))) static inline __m256i gather256(
  const uint8_t *planes, size_t stride, size_t at, __m256i mode) {
  const __m256i spread = _mm256_setr_epi8(
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3,
    3);
  const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201ull);
  __m256i z = _mm256_setzero_si256();
  for (int p = 0; p < 8; p++) {
    uint32_t bits;
    memcpy(&bits, planes + p * stride + at, 4);
    __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), spread);
    __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
    z = _mm256_or_si256(z, _mm256_and_si256(set, _mm256_set1_epi8((char)(1 << p))));
  }
  __m256i half = _mm256_and_si256(_mm256_srli_epi16(z, 1), _mm256_set1_epi8(0x7f));
  __m256i sign =
    _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_and_si256(z, _mm256_set1_epi8(1)));
  return _mm256_add_epi8(_mm256_xor_si256(half, sign), mode);
}

__attribute__((target("avx2"))) static void join_bf16_256(
  uint8_t mode, const uint8_t *planes, const uint8_t *rest, size_t total, size_t first,
  size_t count, float *target) {
  size_t stride = cc_plane_bytes(total);
  __m256i modes = _mm256_set1_epi8((char)mode);
  size_t done = 0;
  // Whole runs of 64 only: the rest is left to join_run, which reads the planes by runs.
  for (size_t whole = count / 64 * 64; done < whole; done += 32) {
    uint8_t coded[32];
    _mm256_storeu_si256(
      (__m256i *)coded, gather256(planes, stride, (first + done) / 8, modes));
    for (int q = 0; q < 4; q++) {
      __m128i e8 = _mm_loadl_epi64((const __m128i *)(coded + 8 * q));
      __m128i r8 = _mm_loadl_epi64((const __m128i *)(rest + first + done + 8 * q));
      __m256i e = _mm256_slli_epi32(_mm256_cvtepu8_epi32(e8), 23);
      __m256i r = _mm256_cvtepi8_epi32(r8);
      __m256i s = _mm256_and_si256(r, _mm256_set1_epi32((int)0x80000000u));
      __m256i m = _mm256_slli_epi32(_mm256_and_si256(r, _mm256_set1_epi32(0x7f)), 16);
      _mm256_storeu_si256(
        (__m256i *)(target + done + 8 * q), _mm256_or_si256(_mm256_or_si256(e, s), m));
    }
  }
  if (done < count)
    join_run(CC_BF16, mode, planes, rest, total, first + done, count - done, target + done);
}
#endif

void cc_join_f32(
  uint8_t type, uint8_t mode, const uint8_t *planes, const uint8_t *rest, size_t total,
  size_t first, size_t count, float *target) {
#if defined(__x86_64__)
  if (type == CC_BF16 && __builtin_cpu_supports("avx512bw")) {
    join_bf16_512(mode, planes, rest, total, first, count, target);
    return;
  }
  if (type == CC_BF16 && __builtin_cpu_supports("avx2")) {
    join_bf16_256(mode, planes, rest, total, first, count, target);
    return;
  }
#endif
  join_run(type, mode, planes, rest, total, first, count, target);
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

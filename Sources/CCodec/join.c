// The reversible transform of floating-point blocks, backwards: bit planes to elements or to f32.
//
// One body, compiled once for each set of vector instructions; only the gathering of coded bytes
// from the planes is written by hand for each.
#include "planes.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef struct {
  uint8_t mode;
  const uint8_t *planes;
  const uint8_t *rest;
  size_t total;
} block;

// Writes the CC_RUN coded bytes that start at byte `at` of every plane.
typedef void gather(const block *b, size_t stride, size_t at, uint8_t *coded);

CC_INLINE void gather_portable(const block *b, size_t stride, size_t at, uint8_t *coded) {
  for (int j = 0; j < CC_RUN / 8; j++) {
    uint64_t word = 0;
    for (int p = 0; p < 8; p++) word |= (uint64_t)b->planes[p * stride + at + j] << 8 * p;
    word = cc_transpose8(word);
    memcpy(coded + 8 * j, &word, 8);
  }
  for (int i = 0; i < CC_RUN; i++) coded[i] = (uint8_t)(cc_unzigzag(coded[i]) + b->mode);
}

#if defined(__x86_64__)
#define TARGET_512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,f16c,bmi2")))
#define TARGET_256 __attribute__((target("avx2,f16c,bmi2")))

// A plane's 64 bits are a mask of 64 bytes.
TARGET_512 CC_INLINE void gather_512(const block *b, size_t stride, size_t at, uint8_t *coded) {
  __m512i z = _mm512_setzero_si512();
  for (int p = 0; p < 8; p++) {
    uint64_t bits;
    memcpy(&bits, b->planes + p * stride + at, 8);
    z = _mm512_or_si512(z, _mm512_maskz_set1_epi8(bits, (char)(1 << p)));
  }
  __m512i half = _mm512_and_si512(_mm512_srli_epi16(z, 1), _mm512_set1_epi8(0x7f));
  __m512i sign = _mm512_sub_epi8(
    _mm512_setzero_si512(), _mm512_and_si512(z, _mm512_set1_epi8(1)));
  __m512i sum = _mm512_add_epi8(_mm512_xor_si512(half, sign), _mm512_set1_epi8((char)b->mode));
  _mm512_storeu_si512(coded, sum);
}

// Twice 32 bytes: every bit of a plane is spread over a byte and tested.
TARGET_256 CC_INLINE void gather_256(const block *b, size_t stride, size_t at, uint8_t *coded) {
  const __m256i spread = _mm256_setr_epi8(
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3,
    3);
  const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201ull);
  for (int side = 0; side < 2; side++) {
    __m256i z = _mm256_setzero_si256();
    for (int p = 0; p < 8; p++) {
      uint32_t bits;
      memcpy(&bits, b->planes + p * stride + at + 4 * side, 4);
      __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), spread);
      __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
      z = _mm256_or_si256(z, _mm256_and_si256(set, _mm256_set1_epi8((char)(1 << p))));
    }
    __m256i half = _mm256_and_si256(_mm256_srli_epi16(z, 1), _mm256_set1_epi8(0x7f));
    __m256i sign =
      _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_and_si256(z, _mm256_set1_epi8(1)));
    __m256i sum = _mm256_add_epi8(_mm256_xor_si256(half, sign), _mm256_set1_epi8((char)b->mode));
    _mm256_storeu_si256((__m256i *)(coded + 32 * side), sum);
  }
}
#endif

// One run of elements, as stored.
CC_INLINE void write_stored(
  uint8_t type, const uint8_t *coded, const uint8_t *rest, const uint8_t *low, uint8_t *target) {
  for (int i = 0; i < CC_RUN; i++) {
    uint16_t half = cc_give(type, coded[i], rest[i]);
    if (type == CC_F32) {
      uint32_t word = (uint32_t)half << 16 | cc_load_u16(low + 2 * i);
      memcpy(target + 4 * i, &word, 4);
    } else {
      memcpy(target + 2 * i, &half, 2);
    }
  }
}

// One run of elements, as f32.
CC_INLINE void write_f32(
  uint8_t type, const uint8_t *coded, const uint8_t *rest, const uint8_t *low, uint8_t *target) {
  for (int i = 0; i < CC_RUN; i++) {
    float value;
    if (type == CC_F16) {
      value = cc_f16_f32(cc_give(type, coded[i], rest[i]));
    } else {
      // Sign-extended, the rest's sign is in bit 31; its fraction moves to bits 22 ... 16.
      uint32_t wide = (uint32_t)(int32_t)(int8_t)rest[i];
      uint32_t word = (wide & 0x80000000u) | (wide & 0x7f) << 16 | (uint32_t)coded[i] << 23;
      value = cc_bits_f32(type == CC_F32 ? word | cc_load_u16(low + 2 * i) : word);
    }
    memcpy(target + 4 * i, &value, 4);
  }
}

CC_INLINE void join_type(
  gather *take, uint8_t type, int to_f32, const block *b, size_t first, size_t count,
  uint8_t *target) {
  const size_t size = to_f32 || type == CC_F32 ? 4 : 2;
  const size_t stride = cc_plane_bytes(b->total), end = first + count;
  uint8_t last_rest[CC_RUN] = {0}, last_low[2 * CC_RUN] = {0}, buffer[4 * CC_RUN];
  for (size_t start = first / CC_RUN * CC_RUN; start < end; start += CC_RUN) {
    uint8_t coded[CC_RUN];
    take(b, stride, start / 8, coded);
    const uint8_t *rest = b->rest + start;
    const uint8_t *low = type == CC_F32 ? b->rest + b->total + 2 * start : rest;
    // The last run of the block: what is behind its elements is not read.
    size_t there = b->total - start;
    if (there < CC_RUN) {
      memcpy(last_rest, rest, there);
      if (type == CC_F32) memcpy(last_low, low, 2 * there);
      rest = last_rest;
      low = last_low;
    }
    // A run that is wanted in part goes through a buffer.
    int whole = start >= first && start + CC_RUN <= end;
    uint8_t *run = whole ? target + (start - first) * size : buffer;
    if (to_f32) write_f32(type, coded, rest, low, run);
    else write_stored(type, coded, rest, low, run);
    if (!whole) {
      size_t from = start < first ? first : start;
      size_t to = start + CC_RUN < end ? start + CC_RUN : end;
      memcpy(target + (from - first) * size, buffer + (from - start) * size, (to - from) * size);
    }
  }
}

CC_INLINE void join_any(
  gather *take, uint8_t type, int to_f32, const block *b, size_t first, size_t count,
  uint8_t *target) {
  // The type is a constant in each call, so that no loop asks for it.
  if (type == CC_F16) {
    if (to_f32) join_type(take, CC_F16, 1, b, first, count, target);
    else join_type(take, CC_F16, 0, b, first, count, target);
  } else if (type == CC_BF16) {
    if (to_f32) join_type(take, CC_BF16, 1, b, first, count, target);
    else join_type(take, CC_BF16, 0, b, first, count, target);
  } else {
    join_type(take, CC_F32, 1, b, first, count, target);
  }
}

typedef void join_function(
  uint8_t type, int to_f32, const block *b, size_t first, size_t count, uint8_t *target);

static void join_portable(
  uint8_t type, int to_f32, const block *b, size_t first, size_t count, uint8_t *target) {
  join_any(gather_portable, type, to_f32, b, first, count, target);
}

#if defined(__x86_64__)
TARGET_256 static void join_256(
  uint8_t type, int to_f32, const block *b, size_t first, size_t count, uint8_t *target) {
  join_any(gather_256, type, to_f32, b, first, count, target);
}

TARGET_512 static void join_512(
  uint8_t type, int to_f32, const block *b, size_t first, size_t count, uint8_t *target) {
  join_any(gather_512, type, to_f32, b, first, count, target);
}
#endif

int cc_best_vectors(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
    && __builtin_cpu_supports("avx512vl")) return CC_VECTORS_512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c")
    && __builtin_cpu_supports("bmi2")) return CC_VECTORS_256;
#endif
  return CC_VECTORS_NONE;
}

static join_function *function_for(int vectors) {
#if defined(__x86_64__)
  if (vectors == CC_VECTORS_512) return join_512;
  if (vectors == CC_VECTORS_256) return join_256;
#else
  (void)vectors;
#endif
  return join_portable;
}

void cc_join(
  int vectors, uint8_t type, uint8_t mode, const uint8_t *planes, const uint8_t *rest,
  size_t total, size_t first, size_t count, void *target) {
  block b = {mode, planes, rest, total};
  function_for(vectors)(type, 0, &b, first, count, target);
}

void cc_join_f32(
  int vectors, uint8_t type, uint8_t mode, const uint8_t *planes, const uint8_t *rest,
  size_t total, size_t first, size_t count, float *target) {
  block b = {mode, planes, rest, total};
  function_for(vectors)(type, 1, &b, first, count, (uint8_t *)target);
}

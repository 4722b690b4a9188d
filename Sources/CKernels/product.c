#include "CKernels.h"
#include <string.h>

// Products of rows with a decoded tile of weights (count, depth), depth a multiple of 16.
//
// A general sgemm copies both factors into panels at every call. Here the rows are copied once and
// meet every tile of a weight, and the tile, which the decoder has just left in the second cache,
// is read where it is: forward one of its elements times a vector of rows, backward a vector of
// its row times an element of dy.

#if defined(__x86_64__)
#define UNROLL _Pragma("clang loop unroll(full)")
// Columns of x, and rows of w, that are worked on at once.
#define DEPTH 128
#define CHUNK 96

#define JOIN(a, b) a##b
#define JOIN2(a, b, c) a##_##b##c

#define LANES 16
#define PANEL 4
#define TARGET __attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,fma")))
#define NAME(name) JOIN(name, _512)
#define NAME2(name, count) NAME3(name, count)
#define NAME3(name, count) JOIN2(name, count, _512)
#include "product.inc"
#undef LANES
#undef PANEL
#undef TARGET
#undef NAME
#undef NAME3

#define LANES 8
#define PANEL 2
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(name) JOIN(name, _256)
#define NAME3(name, count) JOIN2(name, count, _256)
#include "product.inc"
#endif

size_t ck_product_packed_count(size_t rows, size_t depth) { return (rows + 15) / 16 * 16 * depth; }

bool ck_product_is_supported(size_t rows, size_t depth) {
  return rows >= 8 && depth % 16 == 0 && ck_vector_level() >= 3;
}

void ck_product_pack(size_t rows, size_t depth, const float *x, size_t ldx, float *packed) {
#if defined(__x86_64__)
  if (ck_vector_level() == 4) ck_product_pack_512(rows, depth, x, ldx, packed);
  else ck_product_pack_256(rows, depth, x, ldx, packed);
#endif
}

void ck_product_forward(
  size_t rows, size_t count, size_t depth, const float *packed, const float *w, float *y, size_t ldy) {
#if defined(__x86_64__)
  if (ck_vector_level() == 4) ck_product_forward_512(rows, count, depth, packed, w, y, ldy);
  else ck_product_forward_256(rows, count, depth, packed, w, y, ldy);
#endif
}

void ck_product_backward(
  size_t rows, size_t count, size_t depth, const float *dy, size_t lddy, const float *w, float *dx,
  size_t lddx, bool adds) {
#if defined(__x86_64__)
  if (ck_vector_level() == 4) ck_product_backward_512(rows, count, depth, dy, lddy, w, dx, lddx, adds);
  else ck_product_backward_256(rows, count, depth, dy, lddy, w, dx, lddx, adds);
#endif
}

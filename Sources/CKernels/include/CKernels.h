// The C side of the engine. Every kernel exists for f32 (`_f32`) and f64 (`_f64`), works on the
// calling thread and allocates nothing. Matrices are row-major; `ld...` is the distance between the
// starts of rows. Formulas stand with the kernels, in the .inc file of the operation.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The number of processors that this process may run on (sched_getaffinity).
int ck_processor_count(void);

// What vectors the processor and the system have: 4 for AVX-512 (F, BW, CD, DQ, VL), 3 for AVX2 with
// FMA, 0 for less and for other than x86-64.
int ck_vector_level(void);

// Threads that wait for work by spinning for a moment, then in the kernel. A pool lives as long as
// the process; one region runs at a time.
typedef struct ck_pool ck_pool;

// A pool of `count` threads, the caller's included; fewer where the system gives fewer, NULL where
// there is no memory.
ck_pool *ck_pool_create(int count);
int ck_pool_count(const ck_pool *pool);
// Calls body(context, 0 ... count - 1) on the threads and returns when all have returned.
void ck_pool_run(ck_pool *pool, void (*body)(void *context, int worker), void *context);

// product.c: products of f32 rows with tiles of weights w (count, depth), which have no gaps.

// Whether the other functions can be used: AVX2 or AVX-512, eight rows or more, and a depth that 16
// divides.
bool ck_product_is_supported(size_t rows, size_t depth);
// How many f32 ck_product_pack writes.
size_t ck_product_packed_count(size_t rows, size_t depth);
#define CK_DECLARE_PRODUCT(SUFFIX) \
  /* Brings x (rows, depth) into the order that ck_product_forward reads. */ \
  void ck_product_pack##SUFFIX( \
    size_t rows, size_t depth, const float *x, size_t ldx, float *packed); \
  /* y = x wᵀ. Shapes: x (rows, depth) packed, y (rows, count). */ \
  void ck_product_forward##SUFFIX( \
    size_t rows, size_t count, size_t depth, const float *packed, const float *w, float *y, \
    size_t ldy); \
  /* dx = dy w, or dx += dy w where it `adds`. Shapes: dy (rows, count), dx (rows, depth). */ \
  void ck_product_backward##SUFFIX( \
    size_t rows, size_t count, size_t depth, const float *dy, size_t lddy, const float *w, \
    float *dx, size_t lddx, bool adds);
CK_DECLARE_PRODUCT()
#if defined(__x86_64__)
// With AVX2 and with AVX-512, which the processor must have; the ones above choose between them.
CK_DECLARE_PRODUCT(_256)
CK_DECLARE_PRODUCT(_512)
#endif

#define CK_DECLARE(REAL, TYPE) \
  /* rms_norm.inc */ \
  void ck_rms_norm_forward_##TYPE( \
    size_t rows, size_t n, const REAL *x, size_t ldx, const REAL *w, REAL epsilon, REAL *y, \
    size_t ldy); \
  void ck_rms_norm_backward_##TYPE( \
    size_t rows, size_t n, const REAL *x, size_t ldx, const REAL *w, REAL epsilon, \
    const REAL *dy, size_t lddy, REAL *dx, size_t lddx, REAL *dw); \
  void ck_rms_norm_forward_tangent_##TYPE( \
    size_t rows, size_t n, const REAL *x, size_t ldx, const REAL *xt, size_t ldxt, \
    const REAL *w, const REAL *wt, REAL epsilon, REAL *yt, size_t ldyt); \
  void ck_rms_norm_backward_tangent_##TYPE( \
    size_t rows, size_t n, const REAL *x, size_t ldx, const REAL *xt, size_t ldxt, \
    const REAL *w, const REAL *wt, REAL epsilon, const REAL *dy, size_t lddy, const REAL *dyt, \
    size_t lddyt, REAL *dxt, size_t lddxt, REAL *dwt); \
  /* swiglu.inc */ \
  void ck_swiglu_forward_##TYPE( \
    size_t rows, size_t n, const REAL *g, size_t ldg, const REAL *u, size_t ldu, REAL *y, \
    size_t ldy); \
  void ck_swiglu_backward_##TYPE( \
    size_t rows, size_t n, const REAL *g, size_t ldg, const REAL *u, size_t ldu, const REAL *dy, \
    size_t lddy, REAL *dg, size_t lddg, REAL *du, size_t lddu); \
  void ck_swiglu_forward_tangent_##TYPE( \
    size_t rows, size_t n, const REAL *g, size_t ldg, const REAL *u, size_t ldu, const REAL *gt, \
    size_t ldgt, const REAL *ut, size_t ldut, REAL *yt, size_t ldyt); \
  void ck_swiglu_backward_tangent_##TYPE( \
    size_t rows, size_t n, const REAL *g, size_t ldg, const REAL *u, size_t ldu, const REAL *gt, \
    size_t ldgt, const REAL *ut, size_t ldut, const REAL *dy, size_t lddy, const REAL *dyt, \
    size_t lddyt, REAL *dgt, size_t lddgt, REAL *dut, size_t lddut); \
  /* rotary.inc */ \
  void ck_rotary_##TYPE( \
    size_t rows, size_t heads, size_t d, REAL *x, size_t ldx, const int32_t *positions, \
    const REAL *cosines, const REAL *sines, REAL direction); \
  /* softmax.inc */ \
  void ck_softmax_##TYPE( \
    size_t rows, size_t first, size_t columns, REAL *s, size_t lds); \
  void ck_softmax_derivative_##TYPE( \
    size_t rows, size_t first, size_t columns, const REAL *p, size_t ldp, REAL *d, size_t ldd); \
  void ck_softmax_backward_tangent_##TYPE( \
    size_t rows, size_t first, size_t columns, const REAL *p, size_t ldp, const REAL *pt, \
    size_t ldpt, REAL *d, size_t ldd, REAL *dt, size_t lddt); \
  /* loss.inc */ \
  void ck_cross_entropy_forward_##TYPE( \
    size_t rows, size_t n, const REAL *z, size_t ldz, const int32_t *targets, double *nll, \
    uint8_t *correct); \
  double ck_cross_entropy_backward_##TYPE( \
    size_t rows, size_t n, REAL *z, size_t ldz, const int32_t *targets, const REAL *weights); \
  void ck_cross_entropy_backward_tangent_##TYPE( \
    size_t rows, size_t n, REAL *z, size_t ldz, REAL *zt, size_t ldzt, const int32_t *targets, \
    const REAL *weights); \
  void ck_cross_entropy_tangent_##TYPE( \
    size_t rows, size_t n, const REAL *d, size_t ldd, REAL *zt, size_t ldzt, \
    const int32_t *targets, const REAL *weights); \
  double ck_divergence_backward_##TYPE( \
    size_t rows, size_t n, REAL *z, size_t ldz, const REAL *t, size_t ldt, const REAL *weights); \
  /* dropout.inc */ \
  void ck_dropout_forward_##TYPE( \
    size_t rows, size_t n, const REAL *x, size_t ldx, const uint64_t *seeds, uint64_t threshold, \
    REAL scale, REAL *y, size_t ldy); \
  void ck_dropout_backward_##TYPE( \
    size_t rows, size_t n, const REAL *dy, size_t lddy, const uint64_t *seeds, \
    uint64_t threshold, REAL scale, REAL *dx, size_t lddx); \
  /* elementwise.inc */ \
  void ck_to_bf16_##TYPE(size_t n, const REAL *x, uint16_t *y); \
  void ck_from_bf16_##TYPE(size_t n, const uint16_t *x, REAL *y); \
  void ck_add_scaled_##TYPE( \
    size_t rows, size_t n, REAL scale, const REAL *x, size_t ldx, REAL *y, size_t ldy); \
  void ck_scale_##TYPE( \
    size_t n, REAL scale, REAL *x); \
  double ck_dot_##TYPE( \
    size_t n, const REAL *x, const REAL *y); \
  bool ck_is_finite_##TYPE( \
    size_t n, const REAL *x); \
  void ck_adamw_##TYPE( \
    size_t n, REAL *parameter, const REAL *gradient, REAL *first, REAL *second, \
    REAL learningRate, REAL beta1, REAL beta2, REAL epsilon, REAL weightDecay, REAL correction1, \
    REAL correction2);

CK_DECLARE(float, f32)
CK_DECLARE(double, f64)

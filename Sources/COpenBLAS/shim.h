#pragma once
#include <cblas.h>
#include <stddef.h>

// LAPACK inside libopenblas, for which it installs no header. Matrices are column-major.

// QR of a (m, n): R above the diagonal, Q as reflectors below it and in tau.
void dgeqrf_(
    const int *m, const int *n, double *a, const int *lda, double *tau, double *work,
    const int *lwork, int *info);

// Q itself, (m, n), out of what dgeqrf_ left.
void dorgqr_(
    const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau,
    double *work, const int *lwork, int *info);

// Singular value decomposition by divide and conquer; a is overwritten.
void dgesdd_(
    const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
    const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork,
    int *info, size_t jobz_length);

private import CKernels
private import COpenBLAS
private import Synchronization

#if canImport(Glibc)
  private import Glibc
#endif

/// The element type of the engine: `Float` in use, `Double` where tests need finite differences.
public protocol Scalar: BinaryFloatingPoint, Sendable {
  /// `c = alpha · op(a) · op(b) + beta · c`, row-major, on the calling thread.
  ///
  /// The corresponding C function is `cblas_sgemm` (`cblas_dgemm`). `op(a)` has shape (m, k),
  /// `op(b)` (k, n), `c` (m, n); `lda`, `ldb`, `ldc` are the distances between rows in elements.
  static func gemm(
    transposeA: Bool, transposeB: Bool, m: Int, n: Int, k: Int,
    alpha: Self, a: UnsafePointer<Self>, lda: Int, b: UnsafePointer<Self>, ldb: Int,
    beta: Self, c: UnsafeMutablePointer<Self>, ldc: Int)
}

extension Float: Scalar {
  /// Calls `cblas_sgemm`.
  @inlinable
  public static func gemm(
    transposeA: Bool, transposeB: Bool, m: Int, n: Int, k: Int,
    alpha: Float, a: UnsafePointer<Float>, lda: Int, b: UnsafePointer<Float>, ldb: Int,
    beta: Float, c: UnsafeMutablePointer<Float>, ldc: Int
  ) {
    sgemm(transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
  }
}

extension Double: Scalar {
  /// Calls `cblas_dgemm`.
  @inlinable
  public static func gemm(
    transposeA: Bool, transposeB: Bool, m: Int, n: Int, k: Int,
    alpha: Double, a: UnsafePointer<Double>, lda: Int, b: UnsafePointer<Double>, ldb: Int,
    beta: Double, c: UnsafeMutablePointer<Double>, ldc: Int
  ) {
    dgemm(transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
  }
}

@usableFromInline
func sgemm(
  _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int,
  _ alpha: Float, _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>, _ ldb: Int,
  _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
) {
  cblas_sgemm(
    CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
    Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb), beta, c, Int32(ldc))
  BLAS.count(m, n, k)
}

private let operations = Atomic<Int>(0)

@usableFromInline
func dgemm(
  _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int,
  _ alpha: Double, _ a: UnsafePointer<Double>, _ lda: Int, _ b: UnsafePointer<Double>, _ ldb: Int,
  _ beta: Double, _ c: UnsafeMutablePointer<Double>, _ ldc: Int
) {
  cblas_dgemm(
    CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
    Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb), beta, c, Int32(ldc))
}

/// What the linear-algebra library is, for reports.
public enum BLAS {
  /// The name of the kernel that OpenBLAS chose for this processor, for example `SkylakeX`.
  ///
  /// The corresponding C function is `openblas_get_corename`.
  public static var kernelName: String { String(cString: openblas_get_corename()) }

  /// The variable of the environment that OpenBLAS reads when it is loaded.
  public static let kernelVariable = "OPENBLAS_CORETYPE"

  /// What ``kernelVariable`` should be where OpenBLAS does not know this processor; else nil.
  ///
  /// Before 0.3.25 it takes Prescott's kernels (SSE3) on Intel processors newer than itself, whatever
  /// vectors they have (OpenBLAS issue 4267): a third to a fifth of the speed.
  public static var missedKernelName: String? {
    guard kernelName == "Prescott" else { return nil }
    return switch ck_vector_level() {
    case 4: "SkylakeX"
    case 3: "Haswell"
    default: nil
    }
  }

  /// Floating-point operations (2 · m · n · k) of all f32 products so far in this process.
  public static var operationCount: Int { operations.load(ordering: .relaxed) }

  /// Counts a product of shapes (m, k) and (k, n) that was made without this library.
  package static func count(_ m: Int, _ n: Int, _ k: Int) {
    operations.wrappingAdd(2 * m * n * k, ordering: .relaxed)
  }

  /// Makes every call run on the thread that makes it: ``Workers`` does the spreading.
  ///
  /// The corresponding C function is `openblas_set_num_threads`.
  public static func useCallingThreadOnly() { openblas_set_num_threads(1) }

  /// Ends the process with a line where the system has no addresses for the buffers that OpenBLAS
  /// takes at each of `threads` threads' first product: refused, it would ask again for ever.
  static func checkBuffers(threads: Int) {
    let size = threads * (136 << 20)
    guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      base != MAP_FAILED
    else {
      let line = "imprint: the system has no \(size) bytes for the buffers of matrix products\n"
      _ = line.withCString { write(2, $0, strlen($0)) }
      exit(1)
    }
    munmap(base, size)
  }

  /// Lets one call use `count` threads of the library's own, to measure its rate.
  public static func useThreads(_ count: Int) { openblas_set_num_threads(Int32(count)) }
}

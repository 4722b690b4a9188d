#if canImport(Glibc)
  private import Glibc
#endif

/// A row-major view of scalars that an ``Arena`` owns. Copies share the elements.
///
/// Shape (rows, columns); consecutive rows are `stride` elements apart. The view is valid as long
/// as the arena that made it: whoever keeps a view keeps its arena. Concurrent writers must write to disjoint parts.
public struct Matrix<S: Scalar>: @unchecked Sendable {
  /// The number of rows.
  public let rows: Int
  /// The number of columns.
  public let columns: Int
  /// The distance between the starts of consecutive rows, in elements.
  public let stride: Int
  /// The first element; for calls of C functions only.
  public let pointer: UnsafeMutablePointer<S>

  /// A view of `rows` × `columns` elements at `pointer`, which must outlive the view.
  @inlinable
  public init(_ pointer: UnsafeMutablePointer<S>, rows: Int, columns: Int, stride: Int? = nil) {
    precondition(rows >= 0 && columns >= 0 && (stride ?? columns) >= columns)
    self.pointer = pointer
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
  }

  /// The number of elements.
  @inlinable
  public var count: Int { rows * columns }

  /// Whether the rows follow one another without a gap.
  @inlinable
  public var isContiguous: Bool { stride == columns || rows <= 1 }

  /// The element at `row`, `column`.
  @inlinable
  public subscript(row: Int, column: Int) -> S {
    get {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns)
      return pointer[row * stride + column]
    }
    nonmutating set {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns)
      pointer[row * stride + column] = newValue
    }
  }

  /// The rows of `range`, shape (range.count, columns).
  @inlinable
  public func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return Matrix(
      pointer + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
  }

  /// The columns of `range`, shape (rows, range.count).
  @inlinable
  public func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return Matrix(pointer + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }

  /// The first `rows * columns` elements as another shape. The view must be contiguous.
  @inlinable
  public func reshaped(rows: Int, columns: Int) -> Matrix {
    precondition(isContiguous && rows * columns <= count)
    return Matrix(pointer, rows: rows, columns: columns)
  }

  /// Sets every element to `value`.
  public func fill(_ value: S) {
    let isZero = value == 0 && value.sign == .plus
    for row in 0..<rows {
      let start = pointer + row * stride
      if isZero {
        memset(start, 0, columns * MemoryLayout<S>.stride)
      } else {
        start.update(repeating: value, count: columns)
      }
    }
  }

  /// Copies the elements of `other`, which has the same shape.
  @inlinable
  public func copy(from other: Matrix) {
    precondition(other.rows == rows && other.columns == columns)
    if isContiguous && other.isContiguous {
      pointer.update(from: other.pointer, count: count)
      return
    }
    for row in 0..<rows {
      (pointer + row * stride).update(from: other.pointer + row * other.stride, count: columns)
    }
  }

  /// The elements in row-major order.
  public var elements: [S] {
    (0..<rows).flatMap { row in
      Array(UnsafeBufferPointer(start: pointer + row * stride, count: columns))
    }
  }
}

/// Which side of a product is used transposed.
public enum Transposition: Sendable {
  /// `a · b`
  case none
  /// `aᵀ · b`
  case first
  /// `a · bᵀ`
  case second
}

/// `result = scale · op(a) · op(b) + keep · result`, on the calling thread.
///
/// Shapes: none (m, k) · (k, n); first (k, m)ᵀ · (k, n); second (m, k) · (n, k)ᵀ; result (m, n).
@inlinable
public func multiply<S: Scalar>(
  _ a: Matrix<S>, _ b: Matrix<S>, _ transposition: Transposition = .none, into result: Matrix<S>,
  scale: S = 1, keep: S = 0
) {
  let transposeA = transposition == .first
  let transposeB = transposition == .second
  let m = transposeA ? a.columns : a.rows
  let k = transposeA ? a.rows : a.columns
  let n = transposeB ? b.rows : b.columns
  precondition(k == (transposeB ? b.columns : b.rows), "inner dimensions differ")
  precondition(result.rows == m && result.columns == n, "result has another shape")
  if m == 0 || n == 0 { return }
  S.gemm(
    transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k,
    alpha: scale, a: a.pointer, lda: max(a.stride, 1), b: b.pointer, ldb: max(b.stride, 1),
    beta: keep, c: result.pointer, ldc: max(result.stride, 1))
}

private import COpenBLAS

/// A matrix in LAPACK's order, column after column, in f64: for factorisations, which run on the
/// calling thread.
public struct ColumnMatrix: Sendable {
  /// The number of rows.
  public let rows: Int
  /// The number of columns.
  public let columns: Int
  /// Element (i, j) at i + j · rows.
  public private(set) var elements: [Double]

  /// Zeros of shape (rows, columns).
  public init(rows: Int, columns: Int) {
    self.init(rows: rows, columns: columns, elements: .init(repeating: 0, count: rows * columns))
  }

  private init(rows: Int, columns: Int, elements: [Double]) {
    self.rows = rows
    self.columns = columns
    self.elements = elements
  }

  /// `matrix` transposed, shape (matrix.columns, matrix.rows): the same order of elements.
  public init<S: Scalar>(transposing matrix: Matrix<S>) {
    self.init(
      rows: matrix.columns, columns: matrix.rows, elements: matrix.elements.map { Double($0) })
  }

  /// The element at `row`, `column`.
  public subscript(row: Int, column: Int) -> Double {
    get { elements[row + column * rows] }
    set { elements[row + column * rows] = newValue }
  }

  /// The first `count` columns, shape (rows, count).
  public func prefix(columns count: Int) -> ColumnMatrix {
    ColumnMatrix(rows: rows, columns: count, elements: Array(elements.prefix(rows * count)))
  }

  /// The transpose, shape (columns, rows).
  public var transposed: ColumnMatrix {
    var result = ColumnMatrix(rows: columns, columns: rows)
    for column in 0..<columns {
      for row in 0..<rows { result[column, row] = self[row, column] }
    }
    return result
  }

  /// The product with `other`, shape (rows, other.columns).
  public func times(_ other: ColumnMatrix) -> ColumnMatrix {
    precondition(columns == other.rows, "inner dimensions differ")
    var result = ColumnMatrix(rows: rows, columns: other.columns)
    if rows == 0 || other.columns == 0 || columns == 0 { return result }
    // Row-major, these are the transposes: Cᵀ = Bᵀ Aᵀ.
    Double.gemm(
      transposeA: false, transposeB: false, m: other.columns, n: rows, k: columns, alpha: 1,
      a: other.elements, lda: other.rows, b: elements, ldb: rows, beta: 0, c: &result.elements,
      ldc: rows)
    return result
  }

  /// Q, (rows, columns), of orthonormal columns and the upper triangle R, (columns, columns), with
  /// Q R = self. There are at least as many rows as columns.
  ///
  /// The corresponding LAPACK routines are `dgeqrf` and `dorgqr`.
  public func qr() -> (q: ColumnMatrix, r: ColumnMatrix) {
    precondition(rows >= columns && columns > 0)
    var q = self
    var (m, n) = (Int32(rows), Int32(columns))
    var tau = [Double](repeating: 0, count: columns)
    var info: Int32 = 0
    Self.withWorkspace { work, size in
      dgeqrf_(&m, &n, &q.elements, &m, &tau, work, size, &info)
    }
    var r = ColumnMatrix(rows: columns, columns: columns)
    for column in 0..<columns {
      for row in 0...column { r[row, column] = q[row, column] }
    }
    Self.withWorkspace { work, size in
      dorgqr_(&m, &n, &n, &q.elements, &m, &tau, work, size, &info)
    }
    return (q, r)
  }

  /// U, (rows, k), singular values, the largest first, and Vᵀ, (k, columns), for k the smaller of
  /// rows and columns; nil where an element is not finite or the iteration does not end.
  ///
  /// The corresponding LAPACK routine is `dgesdd`.
  public func singularValues() -> (u: ColumnMatrix, values: [Double], vt: ColumnMatrix)? {
    guard elements.allSatisfy(\.isFinite) else { return nil }
    let count = min(rows, columns)
    var a = elements
    var (m, n, k) = (Int32(rows), Int32(columns), Int32(count))
    var u = ColumnMatrix(rows: rows, columns: count)
    var vt = ColumnMatrix(rows: count, columns: columns)
    var values = [Double](repeating: 0, count: count)
    var integers = [Int32](repeating: 0, count: 8 * count)
    var info: Int32 = 0
    Self.withWorkspace { work, size in
      dgesdd_(
        "S", &m, &n, &a, &m, &values, &u.elements, &m, &vt.elements, &k, work, size, &integers,
        &info, 1)
    }
    return info == 0 ? (u, values, vt) : nil
  }

  /// Asks a routine for the workspace it wants, and calls it again with that.
  private static func withWorkspace(
    _ routine: (_ work: UnsafeMutablePointer<Double>, _ size: UnsafePointer<Int32>) -> Void
  ) {
    var answer = 0.0
    var size: Int32 = -1
    routine(&answer, &size)
    size = max(1, Int32(answer))
    var work = [Double](repeating: 0, count: Int(size))
    routine(&work, &size)
  }
}

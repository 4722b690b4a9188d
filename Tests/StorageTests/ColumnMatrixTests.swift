import Storage
import Testing

@Suite struct ColumnMatrixTests {
  static func random(_ rows: Int, _ columns: Int, seed: UInt64) -> ColumnMatrix {
    var random = SplitMix64(seed: seed)
    var result = ColumnMatrix(rows: rows, columns: columns)
    for column in 0..<columns {
      for row in 0..<rows { result[row, column] = random.uniform() - 0.5 }
    }
    return result
  }

  private func difference(_ a: ColumnMatrix, _ b: ColumnMatrix) -> Double {
    zip(a.elements, b.elements).map { abs($0 - $1) }.max() ?? 0
  }

  private func unit(_ size: Int) -> ColumnMatrix {
    var result = ColumnMatrix(rows: size, columns: size)
    for index in 0..<size { result[index, index] = 1 }
    return result
  }

  @Test func theProductIsTheSum() {
    let (a, b) = (Self.random(3, 5, seed: 1), Self.random(5, 2, seed: 2))
    let product = a.times(b)
    for row in 0..<3 {
      for column in 0..<2 {
        let sum = (0..<5).reduce(0.0) { $0 + a[row, $1] * b[$1, column] }
        #expect(abs(product[row, column] - sum) < 1e-15)
      }
    }
    #expect(a.transposed[4, 2] == a[2, 4])
  }

  /// Sums of a hundred f64 products of numbers below 1: 1e-13.
  @Test(arguments: [(100, 7), (7, 7), (1, 1)]) func qr(_ rows: Int, _ columns: Int) {
    let matrix = Self.random(rows, columns, seed: 3)
    let (q, r) = matrix.qr()
    #expect(difference(q.times(r), matrix) < 1e-13)
    #expect(difference(q.transposed.times(q), unit(columns)) < 1e-13)
    for column in 0..<columns {
      for row in column + 1..<max(columns, column + 1) { #expect(r[row, column] == 0) }
    }
  }

  @Test(arguments: [(40, 9), (9, 40), (5, 5), (1, 3)])
  func singularValues(_ rows: Int, _ columns: Int) throws {
    let matrix = Self.random(rows, columns, seed: 4)
    let (u, values, vt) = try #require(matrix.singularValues())
    #expect(values == values.sorted(by: >) && values.count == min(rows, columns))
    var scaled = u
    for (column, value) in values.enumerated() {
      for row in 0..<rows { scaled[row, column] *= value }
    }
    #expect(difference(scaled.times(vt), matrix) < 1e-13)
    #expect(difference(u.transposed.times(u), unit(values.count)) < 1e-13)
  }

  @Test func whatIsNotFiniteHasNoValues() {
    var matrix = Self.random(4, 3, seed: 5)
    matrix[1, 2] = .nan
    #expect(matrix.singularValues() == nil)
  }
}

import CKernels
import Operations
import Storage
import Testing
import Weights

/// Products with tiles: the kernels of both vector widths, at shapes that leave every kind of rest.
@Suite struct TileProductTests {
  let numbers = Numbers()

  /// Values in f32, as they are multiplied.
  private func values(_ count: Int) -> [Float] {
    numbers.matrix(1, count).elements.map { Float($0) }
  }

  /// The largest difference from sums in f64 over the largest sum.
  private func error(_ found: [Float], _ rows: Int, _ columns: Int, _ sum: (Int, Int) -> Double)
    -> Double
  {
    var (worst, largest) = (0.0, 0.0)
    for row in 0..<rows {
      for column in 0..<columns {
        let expected = sum(row, column)
        worst = max(worst, abs(Double(found[row * columns + column]) - expected))
        largest = max(largest, abs(expected))
      }
    }
    return worst / largest
  }

  #if arch(x86_64)
    /// Sums of up to 300 products in f32 are within 2 ∙ 10⁻⁶ of the largest one: √300 roundings of
    /// 6 ∙ 10⁻⁸, twice.
    @Test(arguments: [256, 512]) func kernelsAreProducts(_ width: Int) {
      guard ck_vector_level() >= (width == 512 ? 4 : 3) else { return }
      let pack = width == 512 ? ck_product_pack_512 : ck_product_pack_256
      let forward = width == 512 ? ck_product_forward_512 : ck_product_forward_256
      let backward = width == 512 ? ck_product_backward_512 : ck_product_backward_256
      for rows in [8, 9, 15, 16, 17, 31, 33, 47, 48, 64, 65, 79, 128, 130] {
        for (count, depth) in [
          (1, 16), (5, 32), (7, 48), (14, 144), (96, 16), (205, 80), (97, 272),
        ] {
          let (x, w) = (values(rows * depth), values(count * depth))
          var packed = [Float](repeating: 9, count: ck_product_packed_count(rows, depth))
          var y = [Float](repeating: 9, count: rows * count)
          pack(rows, depth, x, depth, &packed)
          forward(rows, count, depth, packed, w, &y, count)
          let forwardError = error(y, rows, count) { row, column in
            (0..<depth).reduce(0.0) {
              $0 + Double(x[row * depth + $1]) * Double(w[column * depth + $1])
            }
          }
          #expect(forwardError < 2e-6, "\(rows) × \(count) × \(depth)")
          for adds in [false, true] {
            var dx = x
            backward(rows, count, depth, y, count, w, &dx, depth, adds)
            let backwardError = error(dx, rows, depth) { row, column in
              (0..<count).reduce(adds ? Double(x[row * depth + column]) : 0) {
                $0 + Double(y[row * count + $1]) * Double(w[$1 * depth + column])
              }
            }
            #expect(backwardError < 2e-6, "\(rows) × \(count) × \(depth), adds: \(adds)")
          }
        }
      }
    }
  #endif

  /// The engine's products, whoever makes them: rows with a gap between them, tiles of two weights
  /// on several threads, a depth that 16 divides and one that it does not.
  @Test(arguments: [1, 2, 3], [160, 150]) func engineProductsAreProducts(
    _ threads: Int, _ depth: Int
  ) throws {
    let arena = Arena()
    let weights = [1100, 70].map { rows in
      DenseWeight(name: "w", rows: rows, columns: depth, elements: values(rows * depth))
    }
    let rows = 37
    let linear = TiledLinear<Float>(
      workers: Workers(count: threads),
      limits: .init(weights: weights, rows: rows, maxInput: depth),
      arena: arena)
    let wide: Matrix<Float> = arena.matrix(rows, depth + 3, for: .scratch)
    for row in 0..<rows { for column in 0..<depth { wide[row, column] = values(1)[0] } }
    let x = wide.columns(0..<depth)
    let outputs = weights.map { arena.matrix(rows, $0.rows, of: Float.self, for: .scratch) }
    let items = zip(weights, outputs).map { TiledLinear<Float>.Item($0, $1) }
    let before = BLAS.operationCount
    try linear.forward(items, input: x)
    #expect(BLAS.operationCount - before >= 2 * rows * 1170 * depth)
    for (weight, y) in zip(weights, outputs) {
      let forward = error(y.elements, rows, weight.rows) { row, column in
        (0..<depth).reduce(0.0) {
          $0 + Double(x[row, $1]) * Double(weight.elements[column * depth + $1])
        }
      }
      #expect(forward < 2e-6)
    }
    let dx: Matrix<Float> = arena.matrix(rows, depth, for: .scratch)
    try linear.backward(items, inputGradient: dx)
    // Sums of 1170 products.
    let backward = error(dx.elements, rows, depth) { row, column in
      zip(weights, outputs).reduce(0.0) { sum, item in
        (0..<item.0.rows).reduce(sum) {
          $0 + Double(item.1[row, $1]) * Double(item.0.elements[$1 * depth + column])
        }
      }
    }
    #expect(backward < 4e-6)
  }
}

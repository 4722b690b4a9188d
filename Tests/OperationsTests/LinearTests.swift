import Operations
import Storage
import Testing
import Weights

@Suite struct LinearTests {
  let numbers = Numbers()

  func weight(_ rows: Int, _ columns: Int) -> DenseWeight {
    DenseWeight(
      name: "w", rows: rows, columns: columns,
      elements: numbers.matrix(rows, columns).elements.map { Float($0) })
  }

  @Test(arguments: [1, 2, 3, 7]) func productsWithTilesAreProducts(_ threads: Int) throws {
    let arena = Arena()
    let workers = Workers(count: threads)
    let (first, second) = (weight(13, 5), weight(3, 5))
    let linear = TiledLinear<Double>(
      workers: workers,
      limits: .init(weights: [first, second], rows: 9, maxInput: 5), arena: arena)
    let x = numbers.matrix(9, 5)
    let (y1, y2) = (numbers.zeros(9, 13), numbers.zeros(9, 3))
    try linear.forward([.init(first, y1), .init(second, y2)], input: x)
    let dx = numbers.zeros(9, 5)
    try linear.backward([.init(first, y1), .init(second, y2)], inputGradient: dx)
    for row in 0..<9 {
      for out in 0..<13 {
        let expected = (0..<5).reduce(0.0) {
          $0 + x[row, $1] * Double(first.elements[out * 5 + $1])
        }
        #expect(abs(y1[row, out] - expected) < 1e-12)
      }
      for column in 0..<5 {
        let expected =
          (0..<13).reduce(0.0) { $0 + y1[row, $1] * Double(first.elements[$1 * 5 + column]) }
          + (0..<3).reduce(0.0) { $0 + y2[row, $1] * Double(second.elements[$1 * 5 + column]) }
        #expect(abs(dx[row, column] - expected) < 1e-11)
      }
    }
    let rows = numbers.zeros(2, 5)
    try linear.gather([12, 0], of: first, into: rows)
    #expect(rows.elements == (first.elements[60..<65] + first.elements[0..<5]).map(Double.init))
  }

  @Test func damagedWeightsAreReported() throws {
    struct Broken: WeightMatrix {
      let name = "broken"
      let rows = 4
      let columns = 4
      let blockRows = 1
      let scratchBytes = 0
      func decode(
        rows range: Range<Int>, into output: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutableRawBufferPointer
      ) throws(WeightError) {
        throw WeightError(path: "file", "block \(range.lowerBound)")
      }
    }
    let linear = TiledLinear<Float>(
      workers: Workers(count: 2),
      limits: .init(weights: [Broken()], rows: 1, maxInput: 4), arena: Arena())
    let arena = Arena()
    let x: Matrix<Float> = arena.matrix(1, 4, for: .scratch)
    #expect(throws: WeightError.self) {
      try linear.forward([.init(Broken(), x)], input: x)
    }
  }

  /// An update is the product of its factors, in each of its three forms.
  @Test func updatesAreTheirProduct() {
    let (down, up) = (numbers.matrix(3, 4), numbers.matrix(5, 3))
    let transposed = numbers.zeros(3, 5)
    for row in 0..<5 { for column in 0..<3 { transposed[column, row] = up[row, column] } }
    let ids: [Int32] = [4, 1, 4]
    let oneHot = numbers.zeros(5, 3)
    for (index, id) in ids.enumerated() { oneHot[Int(id), index] = 1 }
    let scratch = numbers.zeros(1, 100)
    for (form, dense) in [
      (LowRankUpdate<Double>.Up.outputFirst(up), up), (.rankFirst(transposed), up),
      (.oneHot(ids), oneHot),
    ] {
      let update = LowRankUpdate(down: down, up: form, scale: 2, rows: 1..<3)
      let x = numbers.matrix(4, 4)
      let y = numbers.zeros(4, 5)
      update.forward(source: x, target: y, chunk: 0..<4, scratch: scratch)
      let dx = numbers.zeros(4, 4)
      let dy = numbers.matrix(4, 5)
      update.backward(source: dy, target: dx, chunk: 0..<4, scratch: scratch)
      for row in 0..<4 {
        for out in 0..<5 {
          var sum = 0.0
          for rank in 0..<3 {
            for column in 0..<4 {
              sum += 2 * x[row, column] * down[rank, column] * dense[out, rank]
            }
          }
          #expect(abs(y[row, out] - (row == 1 || row == 2 ? sum : 0)) < 1e-12)
        }
        for column in 0..<4 {
          var sum = 0.0
          for rank in 0..<3 {
            for out in 0..<5 { sum += 2 * dy[row, out] * dense[out, rank] * down[rank, column] }
          }
          #expect(abs(dx[row, column] - (row == 1 || row == 2 ? sum : 0)) < 1e-12)
        }
      }
    }
  }
}

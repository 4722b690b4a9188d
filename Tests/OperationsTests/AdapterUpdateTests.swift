import Operations
import Storage
import TestSupport
import Testing

/// An adapter's pieces and their tangents, in Double.
@Suite struct AdapterUpdateTests {
  private let numbers = Numbers()
  private let rows = 9
  private let input = 11
  private let output = 7
  private let rank = 3

  /// u, y, p and dx of an adapter for rows 2 ..< 8.
  private func pass(
    _ x: Matrix<Double>, _ delta: Matrix<Double>, _ a: Matrix<Double>, _ b: Matrix<Double>
  ) -> [[Double]] {
    let update = AdapterUpdate(down: a, up: b, scale: 0.7, rows: 2..<8)
    let (y, u) = (numbers.zeros(rows, output), numbers.zeros(rows, rank))
    let (dx, p) = (numbers.zeros(rows, input), numbers.zeros(rows, rank))
    for chunk in [0..<5, 5..<9] {
      update.reduce(x, into: u, chunk: chunk, scratch: u)
      update.expand(u, into: y, chunk: chunk)
      update.project(delta, into: p, chunk: chunk)
      update.spread(p, into: dx, chunk: chunk, scratch: p)
    }
    return [u, y, p, dx].map(\.elements)
  }

  /// Against central differences of a step of 1e-5, whose error is of its square: 1e-8. The rows that
  /// move see one direction, the others none.
  @Test func tangents() {
    let (x, xTangent) = (numbers.matrix(rows, input), numbers.matrix(rows, input))
    let (delta, deltaTangent) = (numbers.matrix(rows, output), numbers.matrix(rows, output))
    let (a, aTangent) = (numbers.matrix(rank, input), numbers.matrix(rank, input))
    let (b, bTangent) = (numbers.matrix(output, rank), numbers.matrix(output, rank))
    let update = AdapterUpdate(down: a, up: b, scale: 0.7, rows: 2..<8)
    let moves = [
      AdapterUpdate<Double>.Move(down: aTangent, up: bTangent, scale: (0.4, -1.5), rows: 0..<4)
    ]
    let (u, y) = (numbers.zeros(rows, rank), numbers.zeros(rows, output))
    let (p, dx) = (numbers.zeros(rows, rank), numbers.zeros(rows, input))
    let (primalU, primalP) = (numbers.zeros(rows, rank), numbers.zeros(rows, rank))
    for chunk in [0..<3, 3..<9] {
      update.reduce(x, into: primalU, chunk: chunk, scratch: primalU)
      update.reduceTangent(x, xTangent, moves: moves, into: u, chunk: chunk)
      update.expandTangent(primalU, u, moves: moves, into: y, chunk: chunk)
      update.project(delta, into: primalP, chunk: chunk)
      update.projectTangent(delta, deltaTangent, moves: moves, into: p, chunk: chunk)
      update.spreadTangent(primalP, p, moves: moves, into: dx, chunk: chunk)
    }
    func moved(_ value: Matrix<Double>, _ tangent: Matrix<Double>, _ step: Double)
      -> Matrix<Double>
    {
      let result = numbers.zeros(value.rows, value.columns)
      result.copy(from: value)
      Elementwise.addScaled(tangent, scale: step, into: result)
      return result
    }
    let still = [numbers.zeros(rank, input), numbers.zeros(output, rank)]
    let moving = [moved(still[0], aTangent, 0.4), moved(still[1], bTangent, -1.5)]
    for (part, tangents) in [(2..<4, moving), (4..<8, still)] {
      let ends = [1e-5, -1e-5].map { step in
        pass(
          moved(x, xTangent, step), moved(delta, deltaTangent, step), moved(a, tangents[0], step),
          moved(b, tangents[1], step))
      }
      for (place, found) in [u, y, p, dx].enumerated() {
        let width = found.columns
        let range = part.lowerBound * width..<part.upperBound * width
        let expected = zip(ends[0][place][range], ends[1][place][range]).map { ($0 - $1) / 2e-5 }
        #expect(difference(Array(found.elements[range]), expected) < 1e-8)
      }
    }
    #expect(y.rows(0..<2).elements.allSatisfy { $0 == 0 }, "rows of others are left alone")
  }

  /// target = keep · target + scale · leftᵀ right, whatever the number of workers: 1e-12.
  @Test(arguments: [1, 3]) func products(_ threads: Int) {
    let (left, right) = (numbers.matrix(rows, 40), numbers.matrix(rows, rank))
    let sum = numbers.zeros(40, rank)
    multiply(left, right, .first, into: sum, scale: 0.5)
    let (tall, wide) = (numbers.matrix(40, rank), numbers.matrix(rank, 40))
    let before = wide.elements
    TransposedProduct.accumulate(
      [
        .init(left: left, right: right, scale: 0.5, target: tall, keep: 0),
        .init(left: right, right: left, scale: 0.5, target: wide),
      ], workers: Workers(count: threads))
    #expect(difference(tall.elements, sum.elements) < 1e-12)
    var expected = before
    for row in 0..<40 {
      for column in 0..<rank { expected[column * 40 + row] += sum[row, column] }
    }
    #expect(difference(wide.elements, expected) < 1e-12)
  }
}

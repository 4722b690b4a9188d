import Foundation
import Operations
import Storage
import Testing

@Suite struct AttentionTests {
  let numbers = Numbers()
  static let shape = AttentionShape(heads: 4, kvHeads: 2, headDim: 6)
  var shape: AttentionShape { Self.shape }

  struct Inputs {
    var q: Matrix<Double>
    var k: Matrix<Double>
    var v: Matrix<Double>
  }

  func inputs(_ rows: Int) -> Inputs {
    Inputs(
      q: numbers.matrix(rows, 24), k: numbers.matrix(rows, 12), v: numbers.matrix(rows, 12))
  }

  func moved(_ a: Inputs, _ b: Inputs, _ t: Double) -> Inputs {
    Inputs(
      q: numbers.moved(a.q, b.q, t), k: numbers.moved(a.k, b.k, t),
      v: numbers.moved(a.v, b.v, t))
  }

  func scratch(_ rows: Int) -> AttentionScratch<Double> {
    AttentionScratch(rows: rows, arena: Self.arena)
  }

  private static let arena = Arena()

  func forward(_ x: Inputs) -> [Double] {
    let o = numbers.zeros(x.q.rows, 24)
    for head in 0..<4 {
      Attention.forward(
        head: head, shape: shape, q: x.q, k: x.k, v: x.v, o: o, scratch: scratch(x.q.rows))
    }
    return o.elements
  }

  func backward(_ x: Inputs, _ dO: Matrix<Double>) -> [Double] {
    let rows = x.q.rows
    let dq = numbers.zeros(rows, 24)
    var heads: [Double] = []
    for head in 0..<4 {
      let (dk, dv) = (numbers.zeros(rows, 6), numbers.zeros(rows, 6))
      Attention.backward(
        head: head, shape: shape, q: x.q, k: x.k, v: x.v, do: dO, dq: dq, dkHead: dk, dvHead: dv,
        scratch: scratch(rows))
      heads += dk.elements + dv.elements
    }
    return dq.elements + heads
  }

  /// Softmax attention as the formula says, one query at a time.
  func reference(_ x: Inputs) -> [Double] {
    var result: [Double] = []
    for row in 0..<x.q.rows {
      for head in 0..<4 {
        let (q0, k0) = (head * 6, head / 2 * 6)
        let scores = (0...row).map { key in
          (0..<6).reduce(0.0) { $0 + x.q[row, q0 + $1] * x.k[key, k0 + $1] } / 6.0.squareRoot()
        }
        let top = scores.max() ?? 0
        let weights = scores.map { exp($0 - top) }
        let sum = weights.reduce(0, +)
        for column in 0..<6 {
          result.append(
            (0...row).reduce(0.0) { $0 + weights[$1] / sum * x.v[$1, k0 + column] })
        }
      }
    }
    return result
  }

  /// 70 rows are more than a block of queries.
  @Test(arguments: [1, 2, 5, 70]) func forwardIsTheFormula(_ rows: Int) {
    let x = inputs(rows)
    #expect(difference(forward(x), reference(x)) < 1e-12)
  }

  @Test(arguments: [1, 4, 67]) func fourDirections(_ rows: Int) {
    let (x, xt) = (inputs(rows), inputs(rows))
    let (dO, dOt) = (numbers.matrix(rows, 24), numbers.matrix(rows, 24))
    let ot = numbers.zeros(rows, 24)
    let dqt = numbers.zeros(rows, 24)
    var heads: [Double] = []
    var left = 0.0
    for head in 0..<4 {
      Attention.forwardTangent(
        head: head, shape: shape, q: x.q, k: x.k, v: x.v, qTangent: xt.q, kTangent: xt.k,
        vTangent: xt.v, oTangent: ot, scratch: scratch(rows))
      let (dkt, dvt) = (numbers.zeros(rows, 6), numbers.zeros(rows, 6))
      Attention.backwardTangent(
        head: head, shape: shape, q: x.q, k: x.k, v: x.v, qTangent: xt.q, kTangent: xt.k,
        vTangent: xt.v, do: dO, doTangent: dOt, dqTangent: dqt, dkHeadTangent: dkt,
        dvHeadTangent: dvt, scratch: scratch(rows))
      heads += dkt.elements + dvt.elements
    }
    #expect(difference(ot.elements, derivative { forward(moved(x, xt, $0)) }) < 1e-7)
    let expected = derivative { backward(moved(x, xt, $0), numbers.moved(dO, dOt, $0)) }
    #expect(difference(dqt.elements + heads, expected) < 1e-7)

    // Adjoint: ⟨do, ȯ⟩ = ⟨dq, q̇⟩ + ⟨dk, k̇⟩ + ⟨dv, v̇⟩.
    left = zip(dO.elements, ot.elements).reduce(0) { $0 + $1.0 * $1.1 }
    let gradients = backward(x, dO)
    var right = zip(gradients, xt.q.elements).reduce(0) { $0 + $1.0 * $1.1 }
    for head in 0..<4 {
      let start = rows * 24 + head * rows * 12
      for row in 0..<rows {
        for column in 0..<6 {
          right += gradients[start + row * 6 + column] * xt.k[row, head / 2 * 6 + column]
          right += gradients[start + rows * 6 + row * 6 + column] * xt.v[row, head / 2 * 6 + column]
        }
      }
    }
    #expect(abs(left - right) < 1e-10 * (1 + abs(left)))
  }

  /// The combined form is the two passes; only the order of sums may differ.
  @Test(arguments: [1, 9, 67]) func bothAtOnceIsEach(_ rows: Int) {
    let (x, xt) = (inputs(rows), inputs(rows))
    let (dO, dOt) = (numbers.matrix(rows, 24), numbers.matrix(rows, 24))
    let wide = (0..<4).map { _ in numbers.matrix(rows, 24) }
    for head in 0..<4 {
      let narrow = (0..<8).map { _ in numbers.matrix(rows, 6) }
      Attention.backward(
        head: head, shape: shape, q: x.q, k: x.k, v: x.v, do: dO, dq: wide[0], dkHead: narrow[0],
        dvHead: narrow[1], scratch: scratch(rows))
      Attention.backwardTangent(
        head: head, shape: shape, q: x.q, k: x.k, v: x.v, qTangent: xt.q, kTangent: xt.k,
        vTangent: xt.v, do: dO, doTangent: dOt, dqTangent: wide[1], dkHeadTangent: narrow[2],
        dvHeadTangent: narrow[3], scratch: scratch(rows))
      Attention.backwardBoth(
        head: head, shape: shape, q: x.q, k: x.k, v: x.v, qTangent: xt.q, kTangent: xt.k,
        vTangent: xt.v, do: dO, doTangent: dOt, dq: wide[2], dkHead: narrow[4], dvHead: narrow[5],
        dqTangent: wide[3], dkHeadTangent: narrow[6], dvHeadTangent: narrow[7],
        scratch: scratch(rows))
      // Absolute, of values of order 1: the dq of a lone row is zero but for rounding.
      func same(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Bool {
        zip(a.elements, b.elements).allSatisfy { abs($0 - $1) < 1e-12 }
      }
      for index in 0..<4 { #expect(same(narrow[index + 4], narrow[index])) }
      let columns = head * 6..<(head + 1) * 6
      #expect(same(wide[2].columns(columns), wide[0].columns(columns)))
      #expect(same(wide[3].columns(columns), wide[1].columns(columns)))
    }
  }

  /// Sequences packed one after the other, as rows of the same matrices, do not see each other.
  @Test func packedSequencesAreSeparate() {
    let packed = inputs(12)
    let o = numbers.zeros(12, 24)
    var expected: [Double] = []
    for segment in [0..<5, 5..<6, 6..<12] {
      let part = Inputs(
        q: packed.q.rows(segment), k: packed.k.rows(segment), v: packed.v.rows(segment))
      for head in 0..<4 {
        Attention.forward(
          head: head, shape: shape, q: part.q, k: part.k, v: part.v, o: o.rows(segment),
          scratch: scratch(12))
      }
      expected += reference(part)
    }
    #expect(difference(o.elements, expected) < 1e-12)
  }

  /// The last queries of a sequence against all of its keys, one and several, also more than go in one block.
  @Test(arguments: [(9, 8), (9, 5), (9, 0), (150, 3), (150, 100)])
  func lastQueriesAreTheLastRows(tokens: Int, past: Int) {
    let x = inputs(tokens)
    let o = numbers.zeros(tokens - past, 24)
    for head in 0..<4 {
      Attention.forward(
        head: head, shape: shape, q: x.q.rows(past..<tokens), k: x.k, v: x.v, o: o,
        scratch: scratch(tokens))
    }
    #expect(difference(o.elements, Array(forward(x).dropFirst(24 * past))) < 1e-12)
  }
}

import Operations
import Storage
import Testing

/// Every kernel in f32 against the same kernel in f64, which the other suites check.
///
/// The inputs are exact in f32. Sums of up to 2500 terms of order 1 and an exponential at most
/// 2 ulp off leave about 1e-6 of the largest value; 1e-5 is what is asked.
@Suite struct SinglePrecisionTests {
  /// Matrices of `S` that hold the same numbers for every `S`.
  final class Source<S: Kernel> {
    let arena = Arena()
    var random = SplitMix64(seed: 7)

    func matrix(_ rows: Int, _ columns: Int, scale: Float = 1) -> Matrix<S> {
      let result = zeros(rows, columns)
      for index in 0..<result.count {
        result.pointer[index] = S((Float(random.uniform()) * 2 - 1) * scale)
      }
      return result
    }

    func zeros(_ rows: Int, _ columns: Int) -> Matrix<S> {
      arena.matrix(rows, columns, for: .scratch)
    }
  }

  func expectSame(_ single: [[Float]], _ double: [[Double]]) {
    #expect(single.count == double.count)
    for (index, pair) in zip(single, double).enumerated() {
      #expect(difference(pair.0.map(Double.init), pair.1) < 1e-5, "result \(index)")
    }
  }

  func norms<S: Kernel>(_ type: S.Type) -> [[S]] {
    let source = Source<S>()
    let (rows, n) = (3, 577)
    let epsilon: S = 1e-5
    let (x, xt) = (source.matrix(rows, n, scale: 3), source.matrix(rows, n))
    let (w, wt) = (source.matrix(1, n), source.matrix(1, n))
    let (dy, dyt) = (source.matrix(rows, n), source.matrix(rows, n))
    let (y, yt) = (source.zeros(rows, n), source.zeros(rows, n))
    let (dx, dxt) = (source.zeros(rows, n), source.zeros(rows, n))
    let (dw, dwt) = (source.zeros(1, n), source.zeros(1, n))
    RMSNorm.forward(x: x, weight: w, epsilon: epsilon, y: y)
    RMSNorm.backward(x: x, weight: w, epsilon: epsilon, dy: dy, dx: dx, weightGradient: dw)
    RMSNorm.forwardTangent(
      x: x, xTangent: xt, weight: w, weightTangent: wt, epsilon: epsilon, yTangent: yt)
    RMSNorm.backwardTangent(
      x: x, xTangent: xt, weight: w, weightTangent: wt, epsilon: epsilon, dy: dy, dyTangent: dyt,
      dxTangent: dxt, weightGradientTangent: dwt)
    return [y, dx, dw, yt, dxt, dwt].map(\.elements)
  }

  @Test func rmsNorm() { expectSame(norms(Float.self), norms(Double.self)) }

  func gates<S: Kernel>(_ type: S.Type) -> [[S]] {
    let source = Source<S>()
    let (rows, n) = (3, 133)
    func random() -> Matrix<S> { source.matrix(rows, n, scale: 8) }
    let (g, u, gt, ut, dy, dyt) = (random(), random(), random(), random(), random(), random())
    let results = (0..<6).map { _ in source.zeros(rows, n) }
    SwiGLU.forward(gate: g, up: u, y: results[0])
    SwiGLU.backward(gate: g, up: u, dy: dy, dGate: results[1], dUp: results[2])
    SwiGLU.forwardTangent(gate: g, up: u, gateTangent: gt, upTangent: ut, yTangent: results[3])
    SwiGLU.backwardTangent(
      gate: g, up: u, gateTangent: gt, upTangent: ut, dy: dy, dyTangent: dyt,
      dGateTangent: results[4], dUpTangent: results[5])
    return results.map(\.elements)
  }

  @Test func swiGLU() { expectSame(gates(Float.self), gates(Double.self)) }

  func heads<S: Kernel>(_ type: S.Type) -> [[S]] {
    let source = Source<S>()
    let shape = AttentionShape(heads: 2, kvHeads: 1, headDim: 10)
    let rows = 71
    func queries() -> Matrix<S> { source.matrix(rows, 20) }
    func keys() -> Matrix<S> { source.matrix(rows, 10) }
    let (q, qt, dO, dOt) = (queries(), queries(), queries(), queries())
    let (k, v, kt, vt) = (keys(), keys(), keys(), keys())
    let scratch = AttentionScratch<S>(rows: rows, arena: source.arena)
    let wide = (0..<4).map { _ in source.zeros(rows, 20) }
    let narrow = (0..<4).map { _ in source.zeros(rows, 10) }
    for head in 0..<2 {
      Attention.forward(head: head, shape: shape, q: q, k: k, v: v, o: wide[0], scratch: scratch)
      Attention.forwardTangent(
        head: head, shape: shape, q: q, k: k, v: v, qTangent: qt, kTangent: kt, vTangent: vt,
        oTangent: wide[1], scratch: scratch)
      Attention.backwardBoth(
        head: head, shape: shape, q: q, k: k, v: v, qTangent: qt, kTangent: kt, vTangent: vt,
        do: dO, doTangent: dOt, dq: wide[2], dkHead: narrow[0], dvHead: narrow[1],
        dqTangent: wide[3], dkHeadTangent: narrow[2], dvHeadTangent: narrow[3], scratch: scratch)
    }
    return (wide + narrow).map(\.elements)
  }

  @Test func attention() { expectSame(heads(Float.self), heads(Double.self)) }

  func rotations<S: Kernel>(_ type: S.Type) -> [[S]] {
    let source = Source<S>()
    let table = RotaryTable<S>(positions: 2048, headDim: 64, theta: 10_000, scaling: nil)
    let x = source.matrix(3, 128)
    Rotary.forward(x: x, heads: 2, positions: [0, 1023, 2047], table: table)
    return [x.elements]
  }

  @Test func rotary() { expectSame(rotations(Float.self), rotations(Double.self)) }

  func losses<S: Kernel>(_ type: S.Type) -> [[S]] {
    let source = Source<S>()
    let (rows, vocabulary) = (2, 2500)
    let z = source.matrix(rows, vocabulary, scale: 6)
    let targets: [Int32] = [17, 2499]
    let weights: [S] = [0.75, 0.25]
    func copy() -> Matrix<S> {
      let result = source.zeros(rows, vocabulary)
      result.copy(from: z)
      return result
    }
    let (gradient, primal, student) = (copy(), copy(), copy())
    let tangent = source.matrix(rows, vocabulary)
    let loss = CrossEntropy.forwardBackward(logits: gradient, targets: targets, weights: weights)
    CrossEntropy.backwardTangent(
      logits: primal, logitsTangent: tangent, targets: targets, weights: weights)
    let teacher = source.matrix(rows, vocabulary, scale: 6)
    let divergence = Divergence.forwardBackward(
      logits: student, teacherLogits: teacher, weights: weights)
    return [
      gradient.elements, primal.elements, tangent.elements, student.elements,
      [S(loss), S(divergence)],
    ]
  }

  @Test func lossesOverAVocabulary() { expectSame(losses(Float.self), losses(Double.self)) }
}

import Foundation
import Operations
import Storage
import Testing

/// Values at the ends of what softmax and the losses may meet.
@Suite struct ExtremeValuesTests {
  let arena = Arena()

  func row<S: Kernel>(_ values: [S]) -> Matrix<S> {
    let result: Matrix<S> = arena.matrix(1, values.count, for: .scratch)
    for (index, value) in values.enumerated() { result.pointer[index] = value }
    return result
  }

  /// The largest logit is found wherever it stands: in the first vector, the last, the overlap of
  /// the two, or a row shorter than a vector. If it were missed, exp(1000) would show.
  func expectLargestIsFound<S: Kernel>(_ type: S.Type) {
    var nll = [0.0]
    var correct: [UInt8] = [9]
    for count in 1...70 {
      let z = row([S](repeating: 0, count: count))
      for place in 0..<count {
        z.fill(-500)
        z[0, place] = 500
        CrossEntropy.forward(logits: z, targets: [Int32(place)], nll: &nll, correct: &correct)
        #expect(nll[0] >= 0 && nll[0] < 1e-30 && correct[0] == 1, "\(place) of \(count)")
      }
    }
  }

  @Test func largestLogitIsFoundAnywhere() {
    expectLargestIsFound(Float.self)
    expectLargestIsFound(Double.self)
  }

  /// The same for attention's softmax: with one key far above the rest, o is that key's value.
  /// In f64, whose exponential is not clamped: exp(1000) is infinite.
  @Test func largestScoreIsFoundAnywhere() {
    let shape = AttentionShape(heads: 1, kvHeads: 1, headDim: 1)
    let scratch = AttentionScratch<Double>(rows: 70, arena: arena)
    let (q, o) = (row([Double(1)]), row([Double(0)]))
    for count in 1...70 {
      let keys: Matrix<Double> = arena.matrix(count, 1, for: .scratch)
      let values: Matrix<Double> = arena.matrix(count, 1, for: .scratch)
      for key in 0..<count { values[key, 0] = Double(key + 1) }
      for place in 0..<count {
        keys.fill(-500)
        keys[place, 0] = 500
        Attention.forward(
          head: 0, shape: shape, q: q, k: keys, v: values, o: o, scratch: scratch)
        #expect(o[0, 0] == Double(place + 1))
      }
    }
  }

  /// softmax((x, 0)) = (e^x / (1 + e^x), …) shows the f32 exponential's relative error down to
  /// e^−86. It is 1.5 · 2^−23, the roundings of sum and product included; one term less in the
  /// polynomial makes more than 2.
  @Test func exponentialIsAccurate() {
    var worst = 0.0
    let z = row([Float(0), 0])
    for step in 0...34_400 {
      let x = -Float(step) / 400
      z[0, 0] = x
      z[0, 1] = 0
      _ = CrossEntropy.forwardBackward(logits: z, targets: [1], weights: [1])
      let expected = exp(Double(x)) / (1 + exp(Double(x)))
      worst = max(worst, abs(Double(z[0, 0]) / expected - 1))
    }
    #expect(worst < 2 * 0x1p-23)
  }

  /// Far below the largest logit nothing is NaN, infinite or negative, and the rest is untouched.
  @Test func vanishingProbabilitiesVanish() {
    let z = row([Float(0), -1e4, -3e38, 0])
    let loss = CrossEntropy.forwardBackward(logits: z, targets: [3], weights: [1])
    #expect(abs(loss - log(2.0)) < 1e-6)
    #expect(z[0, 0] == 0.5 && z[0, 3] == -0.5)
    #expect(z[0, 1] >= 0 && z[0, 1] < 1e-37 && z[0, 2] >= 0 && z[0, 2] < 1e-37)
  }

  /// Infinite logits and ones that are not numbers have no likeliest id, wherever they stand.
  @Test func overflownLogitsAreNotRight() {
    var nll = [0.0]
    var correct: [UInt8] = [9]
    for value in [Float.infinity, .nan] {
      for count in [1, 5, 40] {
        let z = row([Float](repeating: 1, count: count))
        z[0, count / 2] = value
        for target in Set([0, count / 2]) {
          CrossEntropy.forward(logits: z, targets: [Int32(target)], nll: &nll, correct: &correct)
          #expect(!nll[0].isFinite && correct[0] == 0, "\(value) in \(count)")
        }
        z.fill(value)
        CrossEntropy.forward(logits: z, targets: [0], nll: &nll, correct: &correct)
        #expect(nll[0].isNaN && correct[0] == 0)
      }
    }
  }

  /// A NaN in the logits reaches the loss wherever it stands, so that training can stop.
  @Test func notANumberReachesTheLoss() {
    var nll = [0.0]
    var correct: [UInt8] = [9]
    for place in [0, 1, 15, 16, 31, 39] {
      let z = row((0..<40).map { Float($0) / 7 })
      z[0, place] = .nan
      CrossEntropy.forward(logits: z, targets: [20], nll: &nll, correct: &correct)
      #expect(nll[0].isNaN)
      let loss = CrossEntropy.forwardBackward(logits: z, targets: [20], weights: [1])
      #expect(loss.isNaN)
    }
  }

  /// Gates far out on either side: silu is 0 or the gate itself, and its derivatives stay finite.
  @Test func saturatedGates() {
    let (g, one) = (row([Float(-1e4), -100, 100, 1e4]), row([Float](repeating: 1, count: 4)))
    let results = (0..<5).map { _ in row([Float](repeating: 0, count: 4)) }
    SwiGLU.forward(gate: g, up: one, y: results[0])
    #expect(abs(results[0][0, 0]) < 1e-30 && abs(results[0][0, 1]) < 1e-30)
    #expect(results[0][0, 2] == 100 && results[0][0, 3] == 1e4)
    SwiGLU.backward(gate: g, up: one, dy: one, dGate: results[1], dUp: results[2])
    SwiGLU.backwardTangent(
      gate: g, up: one, gateTangent: one, upTangent: one, dy: one, dyTangent: one,
      dGateTangent: results[3], dUpTangent: results[4])
    for result in results { #expect(Elementwise.isFinite(result)) }
    #expect(results[1][0, 3] == 1 && abs(results[1][0, 0]) < 1e-30)
  }
}

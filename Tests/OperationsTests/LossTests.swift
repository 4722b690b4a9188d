import Foundation
import Operations
import Storage
import Testing

@Suite struct LossTests {
  let numbers = Numbers()
  /// More ids than a run of the f64 accumulation.
  let rows = 2
  let vocabulary = 2500
  let targets: [Int32] = [3, 2499]
  let weights = [0.5, 0.25]

  func gradient(_ z: Matrix<Double>) -> (loss: Double, dz: [Double]) {
    let copy = numbers.moved(z, z, 0)
    let loss = CrossEntropy.forwardBackward(logits: copy, targets: targets, weights: weights)
    return (loss, copy.elements)
  }

  @Test func crossEntropyAndItsTangent() {
    let z = numbers.matrix(rows, vocabulary, scale: 4)
    let zt = numbers.matrix(rows, vocabulary)
    let expected = (0..<rows).reduce(0.0) { sum, row in
      let values = (0..<vocabulary).map { z[row, $0] }
      let normalizer = log(values.map { exp($0) }.reduce(0, +))
      return sum + weights[row] * (normalizer - values[Int(targets[row])])
    }
    let result = gradient(z)
    #expect(abs(result.loss - expected) < 1e-12 * expected)
    let slope = derivative { [gradient(numbers.moved(z, zt, $0)).loss] }[0]
    let inner = zip(result.dz, zt.elements).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(slope - inner) < 1e-8)

    let (copy, tangent) = (numbers.moved(z, z, 0), numbers.moved(zt, zt, 0))
    CrossEntropy.backwardTangent(
      logits: copy, logitsTangent: tangent, targets: targets, weights: weights)
    #expect(difference(copy.elements, result.dz) < 1e-12)
    let difference = difference(
      tangent.elements, derivative { gradient(numbers.moved(z, zt, $0)).dz })
    #expect(difference < 1e-6)
  }

  @Test func evaluationFindsTheLikeliest() {
    let z = numbers.matrix(rows, vocabulary)
    z[0, 3] = 9
    var nll = [0.0, 0.0]
    var correct: [UInt8] = [9, 9]
    CrossEntropy.forward(logits: z, targets: targets, nll: &nll, correct: &correct)
    #expect(correct == [1, 0])
    #expect(abs(0.5 * nll[0] + 0.25 * nll[1] - gradient(z).loss) < 1e-12)
  }

  @Test func divergenceAndItsGradient() {
    let (z, t) = (
      numbers.matrix(rows, vocabulary, scale: 3), numbers.matrix(rows, vocabulary, scale: 3)
    )
    let direction = numbers.matrix(rows, vocabulary)
    func run(_ z: Matrix<Double>) -> (Double, [Double]) {
      let copy = numbers.moved(z, z, 0)
      let loss = Divergence.forwardBackward(logits: copy, teacherLogits: t, weights: weights)
      return (loss, copy.elements)
    }
    let same = Divergence.forwardBackward(
      logits: numbers.moved(t, t, 0), teacherLogits: t, weights: weights)
    #expect(abs(same) < 1e-12)
    let (loss, dz) = run(z)
    #expect(loss > 0)
    let slope = derivative { [run(numbers.moved(z, direction, $0)).0] }[0]
    #expect(abs(slope - zip(dz, direction.elements).reduce(0) { $0 + $1.0 * $1.1 }) < 1e-8)
  }
}

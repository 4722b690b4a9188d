import Operations
import Storage
import Testing

@Suite struct RMSNormTests {
  let numbers = Numbers()
  let rows = 3
  let columns = 7
  let epsilon = 1e-5

  func forward(_ x: Matrix<Double>, _ w: Matrix<Double>) -> [Double] {
    let y = numbers.zeros(rows, columns)
    RMSNorm.forward(x: x, weight: w, epsilon: epsilon, y: y)
    return y.elements
  }

  func backward(_ x: Matrix<Double>, _ w: Matrix<Double>, _ dy: Matrix<Double>)
    -> (dx: [Double], dw: [Double])
  {
    let dx = numbers.zeros(rows, columns)
    let dw = numbers.zeros(1, columns)
    RMSNorm.backward(x: x, weight: w, epsilon: epsilon, dy: dy, dx: dx, weightGradient: dw)
    return (dx.elements, dw.elements)
  }

  @Test func forwardIsTheFormula() {
    let x = numbers.matrix(1, columns)
    let w = numbers.matrix(1, columns)
    let y = numbers.zeros(1, columns)
    RMSNorm.forward(x: x, weight: w, epsilon: epsilon, y: y)
    let mean = x.elements.reduce(0) { $0 + $1 * $1 } / Double(columns)
    let expected = zip(x.elements, w.elements).map { $0 * $1 / (mean + epsilon).squareRoot() }
    #expect(difference(y.elements, expected) < 1e-12)
  }

  @Test func tangentsAndGradientsAgreeWithDifferences() {
    let (x, w) = (numbers.matrix(rows, columns), numbers.matrix(1, columns))
    let (xt, wt) = (numbers.matrix(rows, columns), numbers.matrix(1, columns))
    let (dy, dyt) = (numbers.matrix(rows, columns), numbers.matrix(rows, columns))
    let yt = numbers.zeros(rows, columns)
    RMSNorm.forwardTangent(
      x: x, xTangent: xt, weight: w, weightTangent: wt, epsilon: epsilon, yTangent: yt)
    let expected = derivative { t in
      forward(numbers.moved(x, xt, t), numbers.moved(w, wt, t))
    }
    #expect(difference(yt.elements, expected) < 1e-7)

    // The backward pass is the adjoint of the tangent: ⟨dy, ẏ⟩ = ⟨dx, ẋ⟩ + ⟨dw, ẇ⟩.
    let gradients = backward(x, w, dy)
    let left = zip(dy.elements, yt.elements).reduce(0) { $0 + $1.0 * $1.1 }
    let right =
      zip(gradients.dx, xt.elements).reduce(0) { $0 + $1.0 * $1.1 }
      + zip(gradients.dw, wt.elements).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(left - right) < 1e-12 * (1 + abs(left)))

    let dxt = numbers.zeros(rows, columns)
    let dwt = numbers.zeros(1, columns)
    RMSNorm.backwardTangent(
      x: x, xTangent: xt, weight: w, weightTangent: wt, epsilon: epsilon, dy: dy, dyTangent: dyt,
      dxTangent: dxt, weightGradientTangent: dwt)
    func at(_ t: Double) -> (dx: [Double], dw: [Double]) {
      backward(numbers.moved(x, xt, t), numbers.moved(w, wt, t), numbers.moved(dy, dyt, t))
    }
    #expect(difference(dxt.elements, derivative { at($0).dx }) < 1e-7)
    #expect(difference(dwt.elements, derivative { at($0).dw }) < 1e-7)
  }

  /// A frozen weight is one whose tangent is zero.
  @Test func withoutTheWeightsTangent() {
    let (x, xt, w) = (
      numbers.matrix(rows, columns), numbers.matrix(rows, columns), numbers.matrix(1, columns)
    )
    let (dy, dyt) = (numbers.matrix(rows, columns), numbers.matrix(rows, columns))
    func run(_ wt: Matrix<Double>?) -> [Double] {
      let (yt, dxt) = (numbers.zeros(rows, columns), numbers.zeros(rows, columns))
      RMSNorm.forwardTangent(
        x: x, xTangent: xt, weight: w, weightTangent: wt, epsilon: epsilon, yTangent: yt)
      RMSNorm.backwardTangent(
        x: x, xTangent: xt, weight: w, weightTangent: wt, epsilon: epsilon, dy: dy,
        dyTangent: dyt, dxTangent: dxt, weightGradientTangent: nil)
      return yt.elements + dxt.elements
    }
    #expect(difference(run(nil), run(numbers.zeros(1, columns))) < 1e-14)
  }

  @Test func gradientsAccumulate() {
    let (x, w, dy) = (
      numbers.matrix(rows, columns), numbers.matrix(1, columns), numbers.matrix(rows, columns)
    )
    let start = numbers.matrix(rows, columns)
    let dx = numbers.moved(start, start, 0)
    RMSNorm.backward(x: x, weight: w, epsilon: epsilon, dy: dy, dx: dx, weightGradient: nil)
    let expected = zip(start.elements, backward(x, w, dy).dx).map { $0 + $1 }
    #expect(difference(dx.elements, expected) < 1e-14)
  }
}

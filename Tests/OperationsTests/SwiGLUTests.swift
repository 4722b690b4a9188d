import Foundation
import Operations
import Storage
import Testing

@Suite struct SwiGLUTests {
  let numbers = Numbers()
  let rows = 3
  let columns = 5

  func forward(_ g: Matrix<Double>, _ u: Matrix<Double>) -> [Double] {
    let y = numbers.zeros(rows, columns)
    SwiGLU.forward(gate: g, up: u, y: y)
    return y.elements
  }

  func backward(_ g: Matrix<Double>, _ u: Matrix<Double>, _ dy: Matrix<Double>)
    -> (dg: [Double], du: [Double])
  {
    let (dg, du) = (numbers.zeros(rows, columns), numbers.zeros(rows, columns))
    SwiGLU.backward(gate: g, up: u, dy: dy, dGate: dg, dUp: du)
    return (dg.elements, du.elements)
  }

  @Test func fourDirections() {
    func random() -> Matrix<Double> { numbers.matrix(rows, columns, scale: 3) }
    let (g, u, gt, ut, dy, dyt) = (random(), random(), random(), random(), random(), random())
    let expected = zip(g.elements, u.elements).map { $0 / (1 + exp(-$0)) * $1 }
    #expect(difference(forward(g, u), expected) < 1e-14)

    let yt = numbers.zeros(rows, columns)
    SwiGLU.forwardTangent(gate: g, up: u, gateTangent: gt, upTangent: ut, yTangent: yt)
    #expect(
      difference(
        yt.elements, derivative { forward(numbers.moved(g, gt, $0), numbers.moved(u, ut, $0)) })
        < 1e-7)

    let gradients = backward(g, u, dy)
    let left = zip(dy.elements, yt.elements).reduce(0) { $0 + $1.0 * $1.1 }
    let right =
      zip(gradients.dg, gt.elements).reduce(0) { $0 + $1.0 * $1.1 }
      + zip(gradients.du, ut.elements).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(left - right) < 1e-12 * (1 + abs(left)))

    let (dgt, dut) = (numbers.zeros(rows, columns), numbers.zeros(rows, columns))
    SwiGLU.backwardTangent(
      gate: g, up: u, gateTangent: gt, upTangent: ut, dy: dy, dyTangent: dyt, dGateTangent: dgt,
      dUpTangent: dut)
    func at(_ t: Double) -> (dg: [Double], du: [Double]) {
      backward(numbers.moved(g, gt, t), numbers.moved(u, ut, t), numbers.moved(dy, dyt, t))
    }
    #expect(difference(dgt.elements, derivative { at($0).dg }) < 1e-7)
    #expect(difference(dut.elements, derivative { at($0).du }) < 1e-7)
  }

  /// The f32 kernels use their own exponential, at most 2 ulp off: 1e-6 of the largest value.
  @Test func singleFollowsDouble() {
    let arena = Arena()
    let (g, u) = (numbers.matrix(rows, columns, scale: 20), numbers.matrix(rows, columns))
    func single(_ x: Matrix<Double>) -> Matrix<Float> {
      let result: Matrix<Float> = arena.matrix(x.rows, x.columns, for: .scratch)
      for index in 0..<x.count { result.pointer[index] = Float(x.pointer[index]) }
      return result
    }
    let y: Matrix<Float> = arena.matrix(rows, columns, for: .scratch)
    SwiGLU.forward(gate: single(g), up: single(u), y: y)
    #expect(difference(y.elements.map(Double.init), forward(g, u)) < 1e-6)
  }
}

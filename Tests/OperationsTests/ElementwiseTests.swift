import Operations
import Storage
import Testing

@Suite struct ElementwiseTests {
  let numbers = Numbers()

  /// Every operation on a view inside a wider matrix reads and writes that view alone.
  @Test func viewsAreRespected() {
    let (x, y) = (numbers.matrix(5, 9), numbers.matrix(5, 9))
    let before = y.elements
    let (xPart, yPart) = (x.columns(2..<6).rows(1..<4), y.columns(2..<6).rows(1..<4))
    Elementwise.addScaled(xPart, scale: 3, into: yPart)
    Elementwise.scale(yPart, by: 0.5)
    var dot = 0.0
    for row in 0..<5 {
      for column in 0..<9 {
        let inside = (1..<4).contains(row) && (2..<6).contains(column)
        let old = before[row * 9 + column]
        let expected = inside ? (old + 3 * x[row, column]) / 2 : old
        #expect(abs(y[row, column] - expected) < 1e-15)
        if inside { dot += x[row, column] * y[row, column] }
      }
    }
    #expect(abs(Elementwise.dot(xPart, yPart) - dot) < 1e-14)
    Elementwise.add(xPart, into: xPart)
    #expect(abs(Elementwise.dot(xPart, yPart) - 2 * dot) < 1e-14)
  }

  /// 4096² = 2^24: a sum in f32 would not see the ones that follow.
  @Test func normsAreAccumulatedInDouble() {
    let arena = Arena()
    let x: Matrix<Float> = arena.matrix(1, 1001, for: .scratch)
    x.fill(1)
    x[0, 0] = 4096
    #expect(Elementwise.squaredNorm(x) == 0x1p24 + 1000)
  }

  @Test(arguments: [Double.infinity, -.infinity, .nan]) func badValuesAreFound(_ bad: Double) {
    let x = numbers.matrix(3, 37)
    x[0, 0] = .greatestFiniteMagnitude
    x[0, 1] = .leastNonzeroMagnitude
    #expect(Elementwise.isFinite(x))
    for column in [0, 7, 31, 36] {
      let kept = x[2, column]
      x[2, column] = bad
      #expect(!Elementwise.isFinite(x))
      #expect(Elementwise.isFinite(x.rows(0..<2)))
      x[2, column] = kept
    }
  }

  /// Three steps against the formulas of algorithm 2 of Loshchilov & Hutter 2019, in f64.
  @Test func adamWIsTheFormula() {
    let count = 21
    let parameter = numbers.matrix(1, count)
    let (first, second) = (numbers.zeros(1, count), numbers.zeros(1, count))
    var expected = parameter.elements
    var m = [Double](repeating: 0, count: count)
    var v = m
    let (rate, beta1, beta2, epsilon, decay) = (0.01, 0.9, 0.99, 1e-8, 0.1)
    var (power1, power2) = (1.0, 1.0)
    for _ in 0..<3 {
      let gradient = numbers.matrix(1, count)
      (power1, power2) = (power1 * beta1, power2 * beta2)
      AdamKernel.step(
        parameter: parameter, gradient: gradient, first: first, second: second,
        learningRate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: decay,
        correction1: 1 - power1, correction2: 1 - power2)
      for index in 0..<count {
        let g = gradient[0, index]
        m[index] = beta1 * m[index] + (1 - beta1) * g
        v[index] = beta2 * v[index] + (1 - beta2) * g * g
        let step = m[index] / (1 - power1) / ((v[index] / (1 - power2)).squareRoot() + epsilon)
        expected[index] -= rate * (step + decay * expected[index])
      }
    }
    #expect(difference(parameter.elements, expected) < 1e-13)
    #expect(difference(first.elements, m) < 1e-14)
    #expect(difference(second.elements, v) < 1e-14)
  }
}

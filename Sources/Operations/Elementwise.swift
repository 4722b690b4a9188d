public import Storage

/// Sums, products and norms of matrices of the same shape, on the calling thread.
public enum Elementwise {
  /// y += x.
  public static func add<S: Kernel>(_ x: Matrix<S>, into y: Matrix<S>) {
    addScaled(x, scale: 1, into: y)
  }

  /// y += scale · x.
  public static func addScaled<S: Kernel>(_ x: Matrix<S>, scale: S, into y: Matrix<S>) {
    precondition(x.rows == y.rows && x.columns == y.columns)
    S.addScaled(x.rows, x.columns, scale, x.pointer, x.stride, y.pointer, y.stride)
  }

  /// x *= factor.
  public static func scale<S: Kernel>(_ x: Matrix<S>, by factor: S) {
    for row in 0..<x.rows { S.scale(x.columns, factor, x.pointer + row * x.stride) }
  }

  /// Σ x∘y in f64.
  public static func dot<S: Kernel>(_ x: Matrix<S>, _ y: Matrix<S>) -> Double {
    precondition(x.rows == y.rows && x.columns == y.columns)
    return (0..<x.rows).reduce(0) {
      $0 + S.dot(x.columns, x.pointer + $1 * x.stride, y.pointer + $1 * y.stride)
    }
  }

  /// Σ x² in f64.
  public static func squaredNorm<S: Kernel>(_ x: Matrix<S>) -> Double { dot(x, x) }

  /// Whether no element is infinite or NaN.
  public static func isFinite<S: Kernel>(_ x: Matrix<S>) -> Bool {
    (0..<x.rows).allSatisfy { S.isFinite(x.columns, x.pointer + $0 * x.stride) }
  }
}

/// The element-wise update of AdamW.
public enum AdamKernel {
  /// Updates `parameter` and both moments; all have the shape (1, n). correction = 1 − β^t.
  public static func step<S: Kernel>(
    parameter: Matrix<S>, gradient: Matrix<S>, first: Matrix<S>, second: Matrix<S>,
    learningRate: S, beta1: S, beta2: S, epsilon: S, weightDecay: S, correction1: S,
    correction2: S
  ) {
    let count = parameter.count
    precondition(gradient.count == count && first.count == count && second.count == count)
    S.adamw(
      count, parameter.pointer, gradient.pointer, first.pointer, second.pointer, learningRate,
      beta1, beta2, epsilon, weightDecay, correction1, correction2)
  }
}

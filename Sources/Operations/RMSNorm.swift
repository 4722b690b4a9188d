public import Storage

/// y = x · r(x) ∘ w with r = 1 / √(mean(x²) + ε), row by row (Zhang & Sennrich 2019).
///
/// Legend: T rows, D columns; x, y and their gradients and tangents have shape (T, D), the weight
/// and its own (1, D). All calls work on the calling thread.
public enum RMSNorm {
  /// Writes y.
  public static func forward<S: Kernel>(
    x: Matrix<S>, weight: Matrix<S>, epsilon: S, y: Matrix<S>
  ) {
    check(x, weight, y)
    S.rmsNormForward(
      x.rows, x.columns, x.pointer, x.stride, weight.pointer, epsilon, y.pointer, y.stride)
  }

  /// Adds to dx, and to the weight's gradient where it is given.
  public static func backward<S: Kernel>(
    x: Matrix<S>, weight: Matrix<S>, epsilon: S, dy: Matrix<S>, dx: Matrix<S>,
    weightGradient: Matrix<S>?
  ) {
    check(x, weight, dy, dx)
    S.rmsNormBackward(
      x.rows, x.columns, x.pointer, x.stride, weight.pointer, epsilon, dy.pointer, dy.stride,
      dx.pointer, dx.stride, weightGradient?.pointer)
  }

  /// Writes ẏ along ẋ and, where it is given, ẇ.
  public static func forwardTangent<S: Kernel>(
    x: Matrix<S>, xTangent: Matrix<S>, weight: Matrix<S>, weightTangent: Matrix<S>?, epsilon: S,
    yTangent: Matrix<S>
  ) {
    check(x, weight, xTangent, yTangent)
    S.rmsNormForwardTangent(
      x.rows, x.columns, x.pointer, x.stride, xTangent.pointer, xTangent.stride, weight.pointer,
      weightTangent.map { UnsafePointer($0.pointer) }, epsilon, yTangent.pointer, yTangent.stride)
  }

  /// Adds to the tangent of dx, and to that of the weight's gradient where it is given.
  public static func backwardTangent<S: Kernel>(
    x: Matrix<S>, xTangent: Matrix<S>, weight: Matrix<S>, weightTangent: Matrix<S>?, epsilon: S,
    dy: Matrix<S>, dyTangent: Matrix<S>, dxTangent: Matrix<S>, weightGradientTangent: Matrix<S>?
  ) {
    check(x, weight, xTangent, dy, dyTangent, dxTangent)
    S.rmsNormBackwardTangent(
      x.rows, x.columns, x.pointer, x.stride, xTangent.pointer, xTangent.stride, weight.pointer,
      weightTangent.map { UnsafePointer($0.pointer) }, epsilon, dy.pointer, dy.stride,
      dyTangent.pointer, dyTangent.stride, dxTangent.pointer, dxTangent.stride,
      weightGradientTangent?.pointer)
  }

  private static func check<S>(_ x: Matrix<S>, _ weight: Matrix<S>, _ others: Matrix<S>...) {
    precondition(weight.columns == x.columns && weight.rows == 1)
    for other in others { precondition(other.rows == x.rows && other.columns == x.columns) }
  }
}

public import Storage

/// y = silu(gate) ∘ up with silu(g) = g / (1 + e^−g) (Shazeer 2020).
///
/// All matrices have the same shape (T, F). All calls work on the calling thread and overwrite.
public enum SwiGLU {
  /// Writes y.
  public static func forward<S: Kernel>(gate: Matrix<S>, up: Matrix<S>, y: Matrix<S>) {
    check(gate, up, y)
    S.swigluForward(
      gate.rows, gate.columns, gate.pointer, gate.stride, up.pointer, up.stride, y.pointer,
      y.stride)
  }

  /// Writes the gradients of gate and up.
  public static func backward<S: Kernel>(
    gate: Matrix<S>, up: Matrix<S>, dy: Matrix<S>, dGate: Matrix<S>, dUp: Matrix<S>
  ) {
    check(gate, up, dy, dGate, dUp)
    S.swigluBackward(
      gate.rows, gate.columns, gate.pointer, gate.stride, up.pointer, up.stride, dy.pointer,
      dy.stride, dGate.pointer, dGate.stride, dUp.pointer, dUp.stride)
  }

  /// Writes ẏ.
  public static func forwardTangent<S: Kernel>(
    gate: Matrix<S>, up: Matrix<S>, gateTangent: Matrix<S>, upTangent: Matrix<S>,
    yTangent: Matrix<S>
  ) {
    check(gate, up, gateTangent, upTangent, yTangent)
    S.swigluForwardTangent(
      gate.rows, gate.columns, gate.pointer, gate.stride, up.pointer, up.stride,
      gateTangent.pointer, gateTangent.stride, upTangent.pointer, upTangent.stride,
      yTangent.pointer, yTangent.stride)
  }

  /// Writes the tangents of the gradients.
  public static func backwardTangent<S: Kernel>(
    gate: Matrix<S>, up: Matrix<S>, gateTangent: Matrix<S>, upTangent: Matrix<S>, dy: Matrix<S>,
    dyTangent: Matrix<S>, dGateTangent: Matrix<S>, dUpTangent: Matrix<S>
  ) {
    check(gate, up, gateTangent, upTangent, dy, dyTangent, dGateTangent, dUpTangent)
    S.swigluBackwardTangent(
      gate.rows, gate.columns, gate.pointer, gate.stride, up.pointer, up.stride,
      gateTangent.pointer, gateTangent.stride, upTangent.pointer, upTangent.stride, dy.pointer,
      dy.stride, dyTangent.pointer, dyTangent.stride, dGateTangent.pointer, dGateTangent.stride,
      dUpTangent.pointer, dUpTangent.stride)
  }

  private static func check<S>(_ first: Matrix<S>, _ others: Matrix<S>...) {
    for other in others {
      precondition(other.rows == first.rows && other.columns == first.columns)
    }
  }
}

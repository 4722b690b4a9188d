public import Storage

/// The negative log-likelihood of a target id under softmax(logits), row by row, in nats.
///
/// Legend: C rows, V ids; logits have shape (C, V). Losses are accumulated in f64.
public enum CrossEntropy {
  /// Writes each row's loss, and 1 where no other id is likelier than the target.
  public static func forward<S: Kernel>(
    logits: Matrix<S>, targets: UnsafePointer<Int32>, nll: inout [Double],
    correct: inout [UInt8]
  ) {
    precondition(nll.count >= logits.rows && correct.count >= logits.rows)
    check(logits, targets)
    S.crossEntropyForward(
      logits.rows, logits.columns, logits.pointer, logits.stride, targets, &nll, &correct)
  }

  /// logits ← weight (softmax(logits) − onehot), row by row. Returns Σ weight · loss.
  public static func forwardBackward<S: Kernel>(
    logits: Matrix<S>, targets: UnsafePointer<Int32>, weights: UnsafePointer<S>
  ) -> Double {
    check(logits, targets)
    return S.crossEntropyBackward(
      logits.rows, logits.columns, logits.pointer, logits.stride, targets, weights)
  }

  /// The same, with logitsTangent ← its tangent weight (p ∘ (ż − Σ p ż)).
  public static func backwardTangent<S: Kernel>(
    logits: Matrix<S>, logitsTangent: Matrix<S>, targets: UnsafePointer<Int32>,
    weights: UnsafePointer<S>
  ) {
    check(logits, targets)
    precondition(logitsTangent.rows == logits.rows && logitsTangent.columns == logits.columns)
    S.crossEntropyBackwardTangent(
      logits.rows, logits.columns, logits.pointer, logits.stride, logitsTangent.pointer,
      logitsTangent.stride, targets, weights)
  }

  /// logitsTangent ← the gradient's tangent weight (p ∘ (ż − Σ p ż)), where the gradient
  /// weight (p − onehot) is known. Shapes (C, V).
  public static func tangent<S: Kernel>(
    gradient: Matrix<S>, logitsTangent: Matrix<S>, targets: UnsafePointer<Int32>,
    weights: UnsafePointer<S>
  ) {
    check(gradient, targets)
    precondition(
      logitsTangent.rows == gradient.rows && logitsTangent.columns == gradient.columns)
    S.crossEntropyTangent(
      gradient.rows, gradient.columns, gradient.pointer, gradient.stride, logitsTangent.pointer,
      logitsTangent.stride, targets, weights)
  }

  private static func check<S>(_ logits: Matrix<S>, _ targets: UnsafePointer<Int32>) {
    for row in 0..<logits.rows {
      precondition(targets[row] >= 0 && Int(targets[row]) < logits.columns)
    }
  }
}

/// The Kullback–Leibler divergence of softmax(logits) from a teacher's distribution, row by row.
public enum Divergence {
  /// logits ← weight (softmax(logits) − softmax(teacherLogits)). Returns Σ weight · KL(teacher ‖
  /// model). Shapes (C, V).
  public static func forwardBackward<S: Kernel>(
    logits: Matrix<S>, teacherLogits: Matrix<S>, weights: UnsafePointer<S>
  ) -> Double {
    precondition(teacherLogits.rows == logits.rows && teacherLogits.columns == logits.columns)
    return S.divergenceBackward(
      logits.rows, logits.columns, logits.pointer, logits.stride, teacherLogits.pointer,
      teacherLogits.stride, weights)
  }
}

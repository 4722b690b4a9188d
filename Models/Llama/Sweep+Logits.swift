public import Storage
public import Weights

extension Sweep {
  /// Calls `visit` with each scored row of the batch and its logits, (1, V), which are valid during
  /// the call. Comes after ``forward()``.
  ///
  /// Throws ``WeightError`` where the head cannot be read.
  public func logits(
    _ visit: (_ row: Int, _ logits: Matrix<S>) -> Void
  ) throws(WeightError) {
    _ = try headScore { row, _, logits in visit(row, logits) }
  }
}

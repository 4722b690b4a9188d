public import Storage

/// A change of a linear's weight that is never built: ΔW = scale · up · down, shape (out, in).
///
/// The gradient of a loss over T tokens is one (down = X, up = Δᵀ), and so are a direction of a
/// Hessian product and a full-rank inner step. An adapter is one, too (down = A, up = B); where it is
/// trained it is an ``AdapterUpdate``.
public struct LowRankUpdate<S: Kernel>: Sendable {
  /// The other factor.
  public enum Up: Sendable {
    /// Shape (out, r), as an adapter's B.
    case outputFirst(Matrix<S>)
    /// Shape (r, out), as gradients of outputs, token by token.
    case rankFirst(Matrix<S>)
    /// One-hot rows, (r, out): factor i moves output ids[i] alone.
    case oneHot([Int32])
    /// The unit matrix: down is the whole change, (out, in), where that is smaller than factors.
    case identity
  }

  /// Shape (r, in).
  public let down: Matrix<S>
  /// The factor on the output side.
  public let up: Up
  /// The factor in front.
  public let scale: S
  /// The rows of activations that see this change: those of one adapted model.
  public let rows: Range<Int>

  /// All values.
  public init(down: Matrix<S>, up: Up, scale: S, rows: Range<Int>) {
    switch up {
    case .outputFirst(let up): precondition(down.rows == up.columns, "ranks differ")
    case .rankFirst(let up): precondition(down.rows == up.rows, "ranks differ")
    case .oneHot(let ids): precondition(down.rows == ids.count, "ranks differ")
    case .identity: break
    }
    self.down = down
    self.up = up
    self.scale = scale
    self.rows = rows
  }

  /// r: how wide the scratch of a product must be. 0 where the change is held whole.
  public var rank: Int { if case .identity = up { 0 } else { down.rows } }

  /// The same change for rows that are counted from another start.
  public func shifted(by offset: Int) -> LowRankUpdate {
    LowRankUpdate(
      down: down, up: up, scale: scale,
      rows: rows.lowerBound + offset..<rows.upperBound + offset)
  }

  /// target += scale · (source downᵀ) upᵀ for the rows in `chunk` that see the change.
  ///
  /// Shapes: source (T, in), target (T, out). `scratch` holds at least chunk.count · r elements.
  public func forward(
    source: Matrix<S>, target: Matrix<S>, chunk: Range<Int>, scratch: Matrix<S>
  ) {
    let part = chunk.clamped(to: rows)
    if part.isEmpty || down.rows == 0 { return }
    let (source, target) = (source.rows(part), target.rows(part))
    if case .identity = up {
      multiply(source, down, .second, into: target, scale: scale, keep: 1)
      return
    }
    let inner = scratch.reshaped(rows: source.rows, columns: rank)
    multiply(source, down, .second, into: inner)
    switch up {
    case .identity: break
    case .outputFirst(let up): multiply(inner, up, .second, into: target, scale: scale, keep: 1)
    case .rankFirst(let up): multiply(inner, up, into: target, scale: scale, keep: 1)
    case .oneHot(let ids):
      for row in 0..<target.rows {
        for (index, id) in ids.enumerated() { target[row, Int(id)] += scale * inner[row, index] }
      }
    }
  }

  /// target += scale · (source up) down for the rows in `chunk` that see the change.
  ///
  /// Shapes: source (T, out), target (T, in). `scratch` as in
  /// ``forward(source:target:chunk:scratch:)``.
  public func backward(
    source: Matrix<S>, target: Matrix<S>, chunk: Range<Int>, scratch: Matrix<S>
  ) {
    let part = chunk.clamped(to: rows)
    if part.isEmpty || down.rows == 0 { return }
    let (source, target) = (source.rows(part), target.rows(part))
    let inner = scratch.reshaped(rows: source.rows, columns: rank)
    switch up {
    case .identity:
      multiply(source, down, into: target, scale: scale, keep: 1)
      return
    case .outputFirst(let up): multiply(source, up, into: inner)
    case .rankFirst(let up): multiply(source, up, .second, into: inner)
    case .oneHot(let ids):
      for row in 0..<source.rows {
        for (index, id) in ids.enumerated() { inner[row, index] = source[row, Int(id)] }
      }
    }
    multiply(inner, down, into: target, scale: scale, keep: 1)
  }
}

public import Storage

/// An adapter's change of one linear, y += scale · (x Aᵀ) Bᵀ, in pieces: what lies between the
/// factors, u = x Aᵀ going up and p = δ B coming back, is left where the gradient finds it.
///
/// Along a direction (Ȧ, Ḃ) the tangents are u̇ = ẋ Aᵀ + x Ȧᵀ and ẏ = scale · (u̇ Bᵀ + u Ḃᵀ), and
/// coming back ṗ = δ̇ B + δ Ḃ and dẋ = scale · (ṗ A + p Ȧ). Each function works on the rows of `chunk`
/// that see the adapter. Shapes: x (T, in), y and δ (T, out), u and p (T, r).
public struct AdapterUpdate<S: Kernel>: Sendable {
  /// A, shape (r, in).
  public let down: Matrix<S>
  /// B, shape (out, r).
  public let up: Matrix<S>
  /// The factor in front.
  public let scale: S
  /// The rows of activations that see this adapter: those of one adapted model.
  public let rows: Range<Int>
  /// What of the input A does not see.
  public let dropout: DropoutMask?

  /// A direction of A and B, for some of the rows.
  public struct Move: Sendable {
    /// Ȧ but for its factor, shape (r, in).
    public let down: Matrix<S>
    /// Ḃ but for its factor, shape (out, r).
    public let up: Matrix<S>
    /// The factors in front of Ȧ and Ḃ.
    public let scale: (down: S, up: S)
    /// The rows that move along it.
    public let rows: Range<Int>

    /// All values.
    public init(
      down: Matrix<S>, up: Matrix<S>, scale: (down: S, up: S) = (1, 1), rows: Range<Int>
    ) {
      self.down = down
      self.up = up
      self.scale = scale
      self.rows = rows
    }
  }

  /// All values.
  public init(
    down: Matrix<S>, up: Matrix<S>, scale: S, rows: Range<Int>, dropout: DropoutMask? = nil
  ) {
    precondition(down.rows == up.columns, "ranks differ")
    self.down = down
    self.up = up
    self.scale = scale
    self.rows = rows
    self.dropout = dropout
  }

  /// r.
  public var rank: Int { down.rows }

  private func part(_ chunk: Range<Int>) -> Range<Int>? {
    let part = chunk.clamped(to: rows)
    return part.isEmpty || rank == 0 ? nil : part
  }

  // MARK: Going up

  /// u = x Aᵀ; with dropout `scratch` holds at least `in` elements.
  public func reduce(_ x: Matrix<S>, into u: Matrix<S>, chunk: Range<Int>, scratch: Matrix<S>) {
    guard let part = part(chunk) else { return }
    guard let dropout else {
      multiply(x.rows(part), down, .second, into: u.rows(part))
      return
    }
    pieces(of: part, scratch: scratch) { rows, masked in
      dropout.forward(x: x.rows(rows), rows: rows, y: masked)
      multiply(masked, down, .second, into: u.rows(rows))
    }
  }

  /// u̇ = ẋ Aᵀ + x Ȧᵀ.
  public func reduceTangent(
    _ x: Matrix<S>, _ xTangent: Matrix<S>, moves: [Move], into uTangent: Matrix<S>,
    chunk: Range<Int>
  ) {
    guard let part = part(chunk) else { return }
    multiply(xTangent.rows(part), down, .second, into: uTangent.rows(part))
    each(moves, in: part) { move, rows in
      multiply(
        x.rows(rows), move.down, .second, into: uTangent.rows(rows), scale: move.scale.down,
        keep: 1)
    }
  }

  /// y += scale · u Bᵀ.
  public func expand(_ u: Matrix<S>, into y: Matrix<S>, chunk: Range<Int>) {
    guard let part = part(chunk) else { return }
    multiply(u.rows(part), up, .second, into: y.rows(part), scale: scale, keep: 1)
  }

  /// ẏ += scale · (u̇ Bᵀ + u Ḃᵀ).
  public func expandTangent(
    _ u: Matrix<S>, _ uTangent: Matrix<S>, moves: [Move], into yTangent: Matrix<S>,
    chunk: Range<Int>
  ) {
    guard let part = part(chunk) else { return }
    expand(uTangent, into: yTangent, chunk: part)
    each(moves, in: part) { move, rows in
      multiply(
        u.rows(rows), move.up, .second, into: yTangent.rows(rows), scale: scale * move.scale.up,
        keep: 1)
    }
  }

  // MARK: Coming back

  /// p = δ B.
  public func project(_ delta: Matrix<S>, into p: Matrix<S>, chunk: Range<Int>) {
    guard let part = part(chunk) else { return }
    multiply(delta.rows(part), up, into: p.rows(part))
  }

  /// ṗ = δ̇ B + δ Ḃ.
  public func projectTangent(
    _ delta: Matrix<S>, _ deltaTangent: Matrix<S>, moves: [Move], into pTangent: Matrix<S>,
    chunk: Range<Int>
  ) {
    guard let part = part(chunk) else { return }
    multiply(deltaTangent.rows(part), up, into: pTangent.rows(part))
    each(moves, in: part) { move, rows in
      multiply(
        delta.rows(rows), move.up, into: pTangent.rows(rows), scale: move.scale.up, keep: 1)
    }
  }

  /// dx += scale · p A; with dropout `scratch` holds at least `in` elements.
  public func spread(_ p: Matrix<S>, into dx: Matrix<S>, chunk: Range<Int>, scratch: Matrix<S>) {
    guard let part = part(chunk) else { return }
    guard let dropout else {
      multiply(p.rows(part), down, into: dx.rows(part), scale: scale, keep: 1)
      return
    }
    pieces(of: part, scratch: scratch) { rows, masked in
      multiply(p.rows(rows), down, into: masked, scale: scale)
      dropout.backward(dy: masked, rows: rows, dx: dx.rows(rows))
    }
  }

  /// dẋ += scale · (ṗ A + p Ȧ).
  public func spreadTangent(
    _ p: Matrix<S>, _ pTangent: Matrix<S>, moves: [Move], into dxTangent: Matrix<S>,
    chunk: Range<Int>
  ) {
    guard let part = part(chunk) else { return }
    multiply(pTangent.rows(part), down, into: dxTangent.rows(part), scale: scale, keep: 1)
    each(moves, in: part) { move, rows in
      multiply(
        p.rows(rows), move.down, into: dxTangent.rows(rows), scale: scale * move.scale.down,
        keep: 1)
    }
  }

  // MARK: Rows

  private func each(
    _ moves: [Move], in part: Range<Int>, _ body: (_ move: Move, _ rows: Range<Int>) -> Void
  ) {
    for move in moves {
      let rows = part.clamped(to: move.rows)
      if !rows.isEmpty { body(move, rows) }
    }
  }

  /// Calls `body` for as many rows at a time as have room in `scratch` for a masked input, shape
  /// (rows, in).
  private func pieces(
    of part: Range<Int>, scratch: Matrix<S>,
    _ body: (_ rows: Range<Int>, _ masked: Matrix<S>) -> Void
  ) {
    let size = scratch.count / down.columns
    precondition(size > 0, "the scratch is smaller than one masked row")
    for start in stride(from: part.lowerBound, to: part.upperBound, by: size) {
      let rows = start..<min(start + size, part.upperBound)
      body(rows, scratch.reshaped(rows: rows.count, columns: down.columns))
    }
  }
}

/// A piece of an adapter's gradient, target = keep · target + scale · leftᵀ right: dA = scale · pᵀ x
/// and dB = scale · δᵀ u, and their tangents term by term.
public struct TransposedProduct<S: Kernel>: Sendable {
  /// Shape (T, m).
  public let left: Matrix<S>
  /// Shape (T, n).
  public let right: Matrix<S>
  /// The factor in front.
  public let scale: S
  /// Shape (m, n).
  public let target: Matrix<S>
  /// What is kept of the target: 1 adds to it, 0 replaces it.
  public let keep: S

  /// All values.
  public init(
    left: Matrix<S>, right: Matrix<S>, scale: S, target: Matrix<S>, keep: S = 1
  ) {
    self.left = left
    self.right = right
    self.scale = scale
    self.target = target
    self.keep = keep
  }

  /// Computes all `products`, in their order for each element of a target.
  public static func accumulate(_ products: [TransposedProduct], workers: Workers) {
    if products.isEmpty { return }
    workers.run { worker in
      for product in products {
        let target = product.target
        if target.rows > target.columns {
          let part = workers.part(worker, of: target.rows, grain: 16)
          multiply(
            product.left.columns(part), product.right, .first, into: target.rows(part),
            scale: product.scale, keep: product.keep)
        } else {
          let part = workers.part(worker, of: target.columns, grain: 16)
          multiply(
            product.left, product.right.columns(part), .first, into: target.columns(part),
            scale: product.scale, keep: product.keep)
        }
      }
    }
  }
}

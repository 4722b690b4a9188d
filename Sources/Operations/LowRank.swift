public import Storage

/// A change of a linear's weight that is never built: ΔW = scale · up · down, shape (out, in).
///
/// An adapter is one (down = A, up = B), and so is the gradient of a loss over T tokens
/// (down = X, up = Δᵀ), a direction of a Hessian product, and a full-rank inner step.
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
  /// What of the input `down` does not see.
  public let dropout: DropoutMask?

  /// All values.
  public init(
    down: Matrix<S>, up: Up, scale: S, rows: Range<Int>, dropout: DropoutMask? = nil
  ) {
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
    self.dropout = dropout
  }

  /// r: how wide the scratch of a product must be. 0 where the change is held whole.
  public var rank: Int { if case .identity = up { 0 } else { down.rows } }

  /// The same change for rows that are counted from another start.
  public func shifted(by offset: Int) -> LowRankUpdate {
    LowRankUpdate(
      down: down, up: up, scale: scale,
      rows: rows.lowerBound + offset..<rows.upperBound + offset, dropout: dropout)
  }

  /// target += scale · (source downᵀ) upᵀ for the rows in `chunk` that see the change.
  ///
  /// Shapes: source (T, in), target (T, out). `scratch` holds at least chunk.count · r elements, and
  /// with dropout r + in more.
  public func forward(
    source: Matrix<S>, target: Matrix<S>, chunk: Range<Int>, scratch: Matrix<S>
  ) {
    let part = chunk.clamped(to: rows)
    if part.isEmpty || down.rows == 0 { return }
    guard let dropout else {
      forward(source.rows(part), into: target.rows(part), scratch: scratch)
      return
    }
    pieces(of: part, scratch: scratch) { rows, masked, rest in
      dropout.forward(x: source.rows(rows), rows: rows, y: masked)
      forward(masked, into: target.rows(rows), scratch: rest)
    }
  }

  private func forward(_ source: Matrix<S>, into target: Matrix<S>, scratch: Matrix<S>) {
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
    guard let dropout else {
      backward(source.rows(part), into: target.rows(part), keep: 1, scratch: scratch)
      return
    }
    pieces(of: part, scratch: scratch) { rows, masked, rest in
      backward(source.rows(rows), into: masked, keep: 0, scratch: rest)
      dropout.backward(dy: masked, rows: rows, dx: target.rows(rows))
    }
  }

  private func backward(_ source: Matrix<S>, into target: Matrix<S>, keep: S, scratch: Matrix<S>) {
    let inner = scratch.reshaped(rows: source.rows, columns: rank)
    switch up {
    case .identity:
      multiply(source, down, into: target, scale: scale, keep: keep)
      return
    case .outputFirst(let up): multiply(source, up, into: inner)
    case .rankFirst(let up): multiply(source, up, .second, into: inner)
    case .oneHot(let ids):
      for row in 0..<source.rows {
        for (index, id) in ids.enumerated() { inner[row, index] = source[row, Int(id)] }
      }
    }
    multiply(inner, down, into: target, scale: scale, keep: keep)
  }

  /// Calls `body` for as many rows at a time as have room in `scratch` for a masked input, shape
  /// (rows, in), and the rest.
  private func pieces(
    of part: Range<Int>, scratch: Matrix<S>,
    _ body: (_ rows: Range<Int>, _ masked: Matrix<S>, _ rest: Matrix<S>) -> Void
  ) {
    let width = down.columns
    let size = scratch.count / (width + rank)
    precondition(size > 0, "the scratch is smaller than one masked row")
    for start in stride(from: part.lowerBound, to: part.upperBound, by: size) {
      let rows = start..<min(start + size, part.upperBound)
      let used = rows.count * width
      body(
        rows, scratch.reshaped(rows: rows.count, columns: width),
        Matrix(scratch.pointer + used, rows: 1, columns: scratch.count - used))
    }
  }
}

/// What a weight-space gradient M = scale · δᵀ x adds to an adapter's gradient, through the factors:
/// dA += Bᵀ M = scale · (δ B)ᵀ x and dB += M Aᵀ = scale · δᵀ (x Aᵀ). δ B and x Aᵀ are all that is
/// read of A and B, so that the gradient may take their place.
///
/// With A and B in place of Ȧ and Ḃ it is a term of the gradient's tangent.
public struct AdapterGradientTerm<S: Kernel>: Sendable {
  /// Gradient of the linear's output, shape (T, out).
  public let delta: Matrix<S>
  /// The linear's input, shape (T, in).
  public let input: Matrix<S>
  /// A or Ȧ, shape (r, in).
  public let down: Matrix<S>
  /// B or Ḃ, shape (out, r).
  public let up: Matrix<S>
  /// The factor in front of dA.
  public let downScale: S
  /// The factor in front of dB.
  public let upScale: S
  /// dA, shape (r, in); may be ``down`` itself, where no other term reads it.
  public let downGradient: Matrix<S>
  /// dB, shape (out, r); may be ``up`` itself.
  public let upGradient: Matrix<S>
  /// What is kept of the gradients: 1 adds to them, 0 replaces them.
  public let keep: S
  /// Where ⟨δB, xAᵀ⟩ goes, shape (1, 1): without its scale that is ⟨dA, A⟩, and ⟨dB, B⟩.
  public let product: Matrix<S>?

  /// All values.
  public init(
    delta: Matrix<S>, input: Matrix<S>, down: Matrix<S>, up: Matrix<S>, downScale: S, upScale: S,
    downGradient: Matrix<S>, upGradient: Matrix<S>, keep: S = 1, product: Matrix<S>? = nil
  ) {
    self.delta = delta
    self.input = input
    self.down = down
    self.up = up
    self.downScale = downScale
    self.upScale = upScale
    self.downGradient = downGradient
    self.upGradient = upGradient
    self.keep = keep
    self.product = product
  }

  /// The elements of scratch that the term needs: δB and xAᵀ, (T, r) each.
  var scratchElements: Int { 2 * delta.rows * down.rows }

  /// Computes all `terms`, in their order for each element of the gradients.
  ///
  /// `scratch` holds the (T, r) intermediates of as many terms as fit at once.
  public static func accumulate(
    _ terms: [AdapterGradientTerm], scratch: Matrix<S>, workers: Workers
  ) {
    var first = 0
    while first < terms.count {
      var used = 0
      var places: [(term: AdapterGradientTerm, projected: Matrix<S>, reduced: Matrix<S>)] = []
      while first < terms.count, used + terms[first].scratchElements <= scratch.count {
        let term = terms[first]
        let (rows, rank) = (term.delta.rows, term.down.rows)
        let base = scratch.pointer + used
        places.append(
          (
            term, Matrix(base, rows: rows, columns: rank),
            Matrix(base + rows * rank, rows: rows, columns: rank)
          ))
        used += term.scratchElements
        first += 1
      }
      precondition(!places.isEmpty, "the scratch is smaller than one term")
      let batch = places
      workers.run { worker in
        for (term, projected, reduced) in batch {
          let rows = workers.part(worker, of: term.delta.rows, grain: 4)
          if rows.isEmpty { continue }
          multiply(term.delta.rows(rows), term.up, into: projected.rows(rows))
          multiply(term.input.rows(rows), term.down, .second, into: reduced.rows(rows))
        }
      }
      for (term, projected, reduced) in batch {
        term.product?[0, 0] = S(Elementwise.dot(projected, reduced))
      }
      workers.run { worker in
        for (term, projected, reduced) in batch {
          let columns = workers.part(worker, of: term.input.columns, grain: 16)
          multiply(
            projected, term.input.columns(columns), .first,
            into: term.downGradient.columns(columns), scale: term.downScale, keep: term.keep)
          let rows = workers.part(worker, of: term.delta.columns, grain: 16)
          multiply(
            term.delta.columns(rows), reduced, .first, into: term.upGradient.rows(rows),
            scale: term.upScale, keep: term.keep)
        }
      }
    }
  }
}

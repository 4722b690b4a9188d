import Operations
import Storage
import Weights

/// The norms' weights as the rows of a pass see them: base plus change, and the tangent's part.
struct ResolvedNorms<S: Kernel>: Sendable {
  /// A weight and the rows that see it.
  struct Part: Sendable {
    let rows: Range<Int>
    /// Shape (1, D).
    let weight: Matrix<S>
    /// Shape (1, D), where the direction moves the norm.
    let tangent: Matrix<S>?
  }

  /// By 2 · layer (input), 2 · layer + 1 (post-attention), 2 · layers (final; scored rows).
  let parts: [[Part]]
  private let arena: Arena?

  /// The base weights for any number of rows.
  init(weights: LlamaWeights<S>) {
    parts = Self.base(weights).map { [Part(rows: 0..<Int.max, weight: $0, tangent: nil)] }
    arena = nil
  }

  private static func base(_ weights: LlamaWeights<S>) -> [Matrix<S>] {
    weights.blocks.flatMap { [$0.inputNorm, $0.postNorm] } + [weights.norm]
  }

  /// The weights under `parameters`, with the tangents of `direction`.
  init(
    weights: LlamaWeights<S>, parameters: ParameterChange<S>,
    direction: ParameterChange<S>? = nil, rows: Int, lossRows: Int
  ) {
    let base = Self.base(weights)
    let untouched =
      parameters.norms.allSatisfy(\.isEmpty) && (direction?.norms.allSatisfy(\.isEmpty) ?? true)
    if untouched {
      parts = base.map { [Part(rows: 0..<Int.max, weight: $0, tangent: nil)] }
      arena = nil
      return
    }
    let width = weights.architecture.hiddenSize
    let arena = Arena()
    parts = base.indices.map { index in
      let total = index == base.count - 1 ? lossRows : rows
      let changes = parameters.norms[index]
      let moves = direction?.norms[index] ?? []
      let bounds = Set(
        [0, total] + (changes + moves).flatMap { [$0.rows.lowerBound, $0.rows.upperBound] }
      ).sorted()
      return zip(bounds, bounds.dropFirst()).map { lower, upper in
        let range = lower..<upper
        let weight: Matrix<S> = arena.matrix(1, width, for: .innerStep)
        weight.copy(from: base[index])
        for change in changes where change.rows.contains(lower) {
          Elementwise.addScaled(change.values, scale: change.scale, into: weight)
        }
        let covering = moves.filter { $0.rows.contains(lower) }
        guard !covering.isEmpty else { return Part(rows: range, weight: weight, tangent: nil) }
        let tangent: Matrix<S> = arena.matrix(1, width, for: .innerStep)
        for move in covering {
          Elementwise.addScaled(move.values, scale: move.scale, into: tangent)
        }
        return Part(rows: range, weight: weight, tangent: tangent)
      }
    }
    self.arena = arena
  }

  /// Calls `body` for each part of `chunk` with one weight.
  func each(
    _ index: Int, in chunk: Range<Int>, _ body: (Range<Int>, Part) -> Void
  ) {
    for part in parts[index] {
      let range = chunk.clamped(to: part.rows)
      if !range.isEmpty { body(range, part) }
    }
  }
}

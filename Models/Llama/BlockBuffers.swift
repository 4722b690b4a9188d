import LoRA
import Storage
import Weights

/// The activations of one block for T rows. Legend: D hidden, H·d heads, K·d key/value heads, F
/// intermediate, r the largest rank of an adapter.
struct BlockActivations<S: Scalar>: Sendable {
  /// RMSNorm of the block's input, (T, D).
  let normed: Matrix<S>
  /// After rotation, (T, H·d).
  let query: Matrix<S>
  /// After rotation, (T, K·d).
  let key: Matrix<S>
  /// (T, K·d).
  let value: Matrix<S>
  /// Attention's result before o_proj, (T, H·d).
  let attended: Matrix<S>
  /// Input + attention, (T, D).
  let middle: Matrix<S>
  /// RMSNorm of ``middle``, (T, D).
  let normedMiddle: Matrix<S>
  /// (T, F).
  let gate: Matrix<S>
  /// (T, F).
  let up: Matrix<S>
  /// silu(gate) ∘ up, (T, F).
  let product: Matrix<S>
  /// x Aᵀ of the adapter at each linear; among gradients δ B. (T, 7 r).
  let reduced: Matrix<S>

  init(
    rows: Int, architecture: Architecture, adapterRank: Int, arena: Arena,
    for component: MemoryComponent
  ) {
    let hidden = architecture.hiddenSize
    let heads = architecture.numAttentionHeads * architecture.headDim
    let groups = architecture.numKeyValueHeads * architecture.headDim
    let inner = architecture.intermediateSize
    func make(_ columns: Int) -> Matrix<S> { arena.matrix(rows, columns, for: component) }
    normed = make(hidden)
    query = make(heads)
    key = make(groups)
    value = make(groups)
    attended = make(heads)
    middle = make(hidden)
    normedMiddle = make(hidden)
    gate = make(inner)
    up = make(inner)
    product = make(inner)
    reduced = make(LinearKind.allCases.count * adapterRank)
  }

  private init(_ other: BlockActivations, _ range: Range<Int>) {
    normed = other.normed.rows(range)
    query = other.query.rows(range)
    key = other.key.rows(range)
    value = other.value.rows(range)
    attended = other.attended.rows(range)
    middle = other.middle.rows(range)
    normedMiddle = other.normedMiddle.rows(range)
    gate = other.gate.rows(range)
    up = other.up.rows(range)
    product = other.product.rows(range)
    reduced = other.reduced.rows(range)
  }

  /// The same buffers, cut to `range`.
  func rows(_ range: Range<Int>) -> BlockActivations { BlockActivations(self, range) }

  /// ``reduced`` of one linear, whose adapter has `rank`: (T, rank).
  func reduced(at kind: LinearKind, rank: Int) -> Matrix<S> {
    let start = kind.index * (reduced.columns / LinearKind.allCases.count)
    return reduced.columns(start..<start + rank)
  }
}

/// The gradients inside one block for T rows, each under the name of the activation that it
/// belongs to. `query` and `key` are gradients of q_proj's and k_proj's outputs, before rotation;
/// `middle` is the gradient of o_proj's output too.
typealias BlockDeltas<S: Scalar> = BlockActivations<S>

/// A value for the primal pass and, where there is one, for its tangent.
struct Lane<Value: Sendable>: Sendable {
  /// The primal value.
  let primal: Value
  /// Its tangent.
  let tangent: Value?
  /// Both in one buffer, the tangent's rows after the primal's, where they are laid out so.
  let stacked: Value?

  init(_ primal: Value, tangent: Value? = nil, stacked: Value? = nil) {
    self.primal = primal
    self.tangent = tangent
    self.stacked = stacked
  }

  func map<Other>(_ body: (Value) -> Other) -> Lane<Other> {
    Lane<Other>(body(primal), tangent: tangent.map(body), stacked: stacked.map(body))
  }
}

/// Which lanes a pass computes.
struct Lanes: OptionSet, Sendable {
  let rawValue: Int
  static let primal = Lanes(rawValue: 1)
  static let tangent = Lanes(rawValue: 2)
  static let both: Lanes = [.primal, .tangent]
}

public import Storage
public import Weights

/// Keys (rotated) and values of the tokens that sequences have had so far.
///
/// The sequences share one pool of tokens a layer; how much of it each may fill is said when the
/// cache is emptied.
public final class KeyValueCache<S: Scalar>: @unchecked Sendable {
  /// The most tokens of all sequences together.
  public let tokens: Int
  /// The most tokens of each sequence.
  public private(set) var capacities: [Int]
  /// Tokens that each sequence has.
  public private(set) var lengths: [Int]
  private var starts: [Int]
  private let arena: Arena
  /// By layer, or one for all of them in turn, (tokens, K·d).
  private let keys: [Matrix<S>]
  private let values: [Matrix<S>]

  /// Room for `tokens` tokens of any sequences, as ``reset(capacities:)`` shares them out; where not
  /// `keepsLayers`, for those of one layer at a time, which is enough for one pass.
  public init(architecture: Architecture, tokens: Int, keepsLayers: Bool = true, arena: Arena) {
    let width = architecture.numKeyValueHeads * architecture.headDim
    self.tokens = tokens
    self.arena = arena
    (capacities, lengths, starts) = ([], [], [])
    keys = (0..<(keepsLayers ? architecture.numHiddenLayers : 1)).map { _ in
      arena.matrix(tokens, width, for: .kept)
    }
    values = keys.map { _ in arena.matrix(tokens, width, for: .kept) }
  }

  /// Room for `sequences` of up to `capacity` tokens each.
  public convenience init(
    architecture: Architecture, sequences: Int, capacity: Int, arena: Arena
  ) {
    self.init(architecture: architecture, tokens: sequences * capacity, arena: arena)
    reset(capacities: Array(repeating: capacity, count: sequences))
  }

  /// Puts new keys and values of a sequence at `position` and behind it, without counting them yet.
  func store(
    layer: Int, sequence: Int, at position: Int, keys newKeys: Matrix<S>,
    values newValues: Matrix<S>
  ) {
    precondition(position + newKeys.rows <= capacities[sequence])
    let start = starts[sequence] + position
    let layer = layer % keys.count
    keys[layer].rows(start..<start + newKeys.rows).copy(from: newKeys)
    values[layer].rows(start..<start + newValues.rows).copy(from: newValues)
  }

  /// The first `count` keys and values of a sequence.
  func read(layer: Int, sequence: Int, count: Int) -> (keys: Matrix<S>, values: Matrix<S>) {
    let rows = starts[sequence]..<starts[sequence] + count
    let layer = layer % keys.count
    return (keys[layer].rows(rows), values[layer].rows(rows))
  }

  /// Counts `count` more tokens of a sequence.
  func advance(_ sequence: Int, by count: Int) { lengths[sequence] += count }

  /// Whether a sequence can take another token.
  func hasRoom(_ sequence: Int) -> Bool { lengths[sequence] < capacities[sequence] }

  /// Forgets what the sequences have had.
  public func reset() { lengths = lengths.map { _ in 0 } }

  /// Forgets every sequence; the next ones may have these many tokens each.
  public func reset(capacities: [Int]) {
    precondition(capacities.reduce(0, +) <= tokens)
    self.capacities = capacities
    lengths = capacities.map { _ in 0 }
    var start = 0
    starts = capacities.map { capacity in
      defer { start += capacity }
      return start
    }
  }
}

public import Storage
public import Weights

/// Keys (rotated) and values of the tokens that sequences have had so far.
public final class KeyValueCache<S: Scalar>: @unchecked Sendable {
  /// The most tokens of a sequence.
  public let capacity: Int
  /// Tokens that each sequence has.
  public private(set) var lengths: [Int]
  /// By layer · sequences + sequence, (capacity, K·d).
  private let arena: Arena
  private let keys: [Matrix<S>]
  private let values: [Matrix<S>]

  /// Room for `sequences` of up to `capacity` tokens each.
  public init(architecture: Architecture, sequences: Int, capacity: Int, arena: Arena) {
    let width = architecture.numKeyValueHeads * architecture.headDim
    let count = architecture.numHiddenLayers * sequences
    self.capacity = capacity
    self.arena = arena
    lengths = Array(repeating: 0, count: sequences)
    keys = (0..<count).map { _ in arena.matrix(capacity, width, for: .kept) }
    values = (0..<count).map { _ in arena.matrix(capacity, width, for: .kept) }
  }

  /// Puts new keys and values behind those of a sequence, without counting them yet.
  func store(layer: Int, sequence: Int, keys newKeys: Matrix<S>, values newValues: Matrix<S>) {
    let start = lengths[sequence]
    let index = layer * lengths.count + sequence
    keys[index].rows(start..<start + newKeys.rows).copy(from: newKeys)
    values[index].rows(start..<start + newValues.rows).copy(from: newValues)
  }

  /// The first `count` keys and values of a sequence.
  func read(layer: Int, sequence: Int, count: Int) -> (keys: Matrix<S>, values: Matrix<S>) {
    let index = layer * lengths.count + sequence
    return (keys[index].rows(0..<count), values[index].rows(0..<count))
  }

  /// Counts `count` more tokens of a sequence.
  func advance(_ sequence: Int, by count: Int) { lengths[sequence] += count }

  /// Forgets every sequence.
  public func reset() { lengths = lengths.map { _ in 0 } }
}

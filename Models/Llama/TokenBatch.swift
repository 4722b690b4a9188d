/// Token sequences that go through the model together, laid end to end: T rows in all.
public struct TokenBatch: Sendable {
  /// Token ids, (T).
  public private(set) var ids: [Int32] = []
  /// Each token's position in its sequence, (T).
  public private(set) var positions: [Int32] = []
  /// The rows of each segment, a sequence or a part of one: attention stays inside, and goes over what its
  /// sequence has in a key-value cache before it.
  public private(set) var segments: [Range<Int>] = []
  /// The rows whose prediction is scored, ascending, (n).
  public private(set) var lossRows: [Int32] = []
  /// The id that each scored row should predict, (n).
  public private(set) var targets: [Int32] = []
  /// The weight of each scored row in the loss, (n).
  public private(set) var weights: [Double] = []
  /// The scored rows of each segment, as a range of 0 ..< n.
  public private(set) var lossRanges: [Range<Int>] = []

  /// The sequences of a key-value cache that each segment belongs to: one, or all that begin with it.
  public private(set) var sequences: [[Int]] = []

  /// No sequence.
  public init() {}

  /// T.
  public var count: Int { ids.count }

  /// Adds the next tokens of a sequence that has had `position` before; the last one's prediction
  /// is what is asked for.
  mutating func append(continuing tokens: [Int32], at position: Int, sequence: Int) {
    add(tokens, at: position, sequences: [sequence], targets: [0], weight: 0)
  }

  /// Adds the first tokens of several sequences of a key-value cache; none is scored.
  mutating func append(sharedBy sequences: [Int], _ tokens: ArraySlice<Int32>) {
    add(tokens, at: 0, sequences: sequences, targets: [], weight: 0)
  }

  /// Adds a sequence whose last `predicted` tokens are scored, each with `weight` ÷ predicted.
  ///
  /// The last token itself is not an input: a sequence of n tokens takes n − 1 rows. Needs
  /// 1 ≤ predicted < tokens.count.
  /// With a key-value cache the tokens are those of `sequence`, by default the next one, behind
  /// `position` that it has in the cache or in this batch.
  public mutating func append(
    _ tokens: [Int32], predicted: Int, weight: Double = 1, at position: Int = 0,
    sequence: Int? = nil
  ) {
    precondition(predicted >= 1 && predicted < tokens.count)
    add(
      tokens.dropLast(), at: position, sequences: [sequence ?? segments.count],
      targets: tokens.suffix(predicted), weight: weight / Double(predicted))
  }

  /// Adds a segment whose last rows should predict `newTargets`, each with `weight`.
  private mutating func add(
    _ tokens: some Collection<Int32>, at position: Int, sequences newSequences: [Int],
    targets newTargets: some Collection<Int32>, weight: Double
  ) {
    let (start, firstScored) = (ids.count, lossRows.count)
    ids += tokens
    positions += (position..<position + tokens.count).map { Int32($0) }
    segments.append(start..<ids.count)
    sequences.append(newSequences)
    lossRows += (ids.count - newTargets.count..<ids.count).map { Int32($0) }
    targets += newTargets
    weights += repeatElement(weight, count: newTargets.count)
    lossRanges.append(firstScored..<lossRows.count)
  }
}

import Storage

/// Which items a step takes: every epoch is a shuffle of its own, a function of the seed alone.
struct DataOrder {
  let count: Int
  let seed: UInt64
  private var epoch = -1
  private var permutation: [Int] = []

  init(count: Int, seed: UInt64) {
    self.count = count
    self.seed = seed
  }

  /// The item at `position` of the endless sequence of shuffled epochs.
  mutating func item(at position: Int) -> Int {
    if position / count != epoch {
      epoch = position / count
      var generator = SplitMix64(seed: seed &+ UInt64(epoch + 1) &* 0x9e37_79b9_7f4a_7c15)
      permutation = Array(0..<count).shuffled(using: &generator)
    }
    return permutation[position % count]
  }
}

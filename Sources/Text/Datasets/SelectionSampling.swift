import Storage

/// Takes some of a known number of things at random, in their order.
///
/// Source: Knuth, The Art of Computer Programming 2, §3.4.2, algorithm S.
struct SelectionSampling {
  private var left: Int
  private var wanted: Int
  private var random: SplitMix64

  /// Takes `count` of `total` things, all where there are no more; the same for the same seed.
  init(_ count: Int, of total: Int, seed: UInt64) {
    left = total
    wanted = count
    random = SplitMix64(seed: seed)
  }

  /// Whether the next one is taken.
  mutating func takesNext() -> Bool {
    let takes = random.uniform() * Double(left) < Double(wanted)
    left -= 1
    if takes { wanted -= 1 }
    return takes
  }
}

import Storage

/// Draws that depend on the stream alone, not on the standard library's algorithms: the same seed
/// gives the same datasets with every toolchain.
extension SplitMix64 {
  /// The stream of a generated dataset's side.
  init(dataset: String, seed: UInt64, forTest: Bool) {
    self.init(seed: StableHash.of("\(dataset) \(forTest ? "test" : "train")") &+ seed)
    // Seeds that differ by little start streams that do not.
    self.init(seed: next())
  }

  /// A number in 0 ..< `bound`, which is positive, each as likely.
  ///
  /// Source: Lemire 2019, "Fast random integer generation in an interval".
  mutating func below(_ bound: Int) -> Int {
    let bound = UInt64(bound)
    let floor = (0 &- bound) % bound
    while true {
      let (high, low) = bound.multipliedFullWidth(by: next())
      if low >= floor { return Int(high) }
    }
  }

  /// Whether something happens whose chance is `share`.
  mutating func happens(_ share: Double) -> Bool { uniform() < share }

  /// One of `items`, which are not empty.
  mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }

  /// `items` in random order (Fisher and Yates).
  mutating func shuffled<Item>(_ items: [Item]) -> [Item] {
    var items = items
    for last in stride(from: items.count - 1, to: 0, by: -1) { items.swapAt(last, below(last + 1)) }
    return items
  }
}

/// FNV-1a with 64 bits: the same value in every process.
enum StableHash {
  static func of(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    // FNV's low bits mix badly for short words.
    return (hash ^ hash >> 29) &* 0xbf58_476d_1ce4_e5b9 ^ hash >> 32
  }
}

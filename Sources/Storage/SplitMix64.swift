/// A small random generator with the same stream everywhere.
///
/// Source: Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators".
public struct SplitMix64: RandomNumberGenerator, Sendable, Codable {
  /// The whole state.
  public var state: UInt64

  /// A stream that depends on `seed` alone.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }

  /// A number in 0 ..< 1 with 53 random bits.
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A seed that depends on both, in this order.
  public static func mix(_ seed: UInt64, _ value: UInt64) -> UInt64 {
    var generator = SplitMix64(seed: seed)
    generator.state = generator.next() ^ value
    return generator.next()
  }
}

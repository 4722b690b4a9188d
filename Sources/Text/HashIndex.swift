/// An open-addressing table from keys that live elsewhere to their indices.
struct HashIndex: Sendable {
  private var slots: [UInt32]
  private let mask: Int

  /// Room for `count` entries.
  init(count: Int) {
    var size = 16
    while size < 2 * count { size *= 2 }
    slots = Array(repeating: .max, count: size)
    mask = size - 1
  }

  /// The index for which `matches` is true among those of `hash`, or nil.
  @inline(__always)
  func find(_ hash: UInt64, _ matches: (Int) -> Bool) -> Int? {
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != .max {
      let index = Int(slots[slot])
      if matches(index) { return index }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// Adds `index` unless one for which `matches` is true is there.
  mutating func insert(_ index: Int, _ hash: UInt64, _ matches: (Int) -> Bool) {
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != .max {
      if matches(Int(slots[slot])) { return }
      slot = (slot + 1) & mask
    }
    slots[slot] = UInt32(index)
  }

  /// A hash of two ids.
  @inline(__always)
  static func hash(_ left: UInt32, _ right: UInt32) -> UInt64 {
    var value = UInt64(left) << 32 | UInt64(right)
    value = (value ^ value >> 31) &* 0x9e37_79b9_7f4a_7c15
    return value ^ value >> 29
  }

  /// A hash of bytes (FNV-1a).
  static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    var value: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return value ^ value >> 32
  }
}

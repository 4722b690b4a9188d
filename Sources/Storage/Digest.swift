/// A digest of 64 bits that tells one content from another; no protection against forgery.
///
/// FNV-1a. Source: Fowler, Noll, Vo & Eastlake, RFC 9923.
public struct Digest: Sendable, Equatable, CustomStringConvertible {
  /// The digest of what was given so far.
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  /// The digest of nothing.
  public init() {}

  /// Goes on with `bytes`.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
  }

  /// Goes on with the UTF-8 of `text`.
  public mutating func update(_ text: String) {
    Array(text.utf8).withUnsafeBytes { update($0) }
  }

  /// Goes on with the little-endian bytes of how many `ids` there are, and of each.
  public mutating func update(_ ids: [Int32]) {
    withUnsafeBytes(of: UInt64(ids.count).littleEndian) { update($0) }
    for id in ids { withUnsafeBytes(of: id.littleEndian) { update($0) } }
  }

  /// 16 hexadecimal digits.
  public var description: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

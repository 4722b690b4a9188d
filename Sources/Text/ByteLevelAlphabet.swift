/// GPT-2's spelling of bytes as printable characters, in which byte-level vocabularies are written.
///
/// Source: `bytes_to_unicode` of GPT-2's encoder: printable Latin-1 stands for itself, the others
/// are U+0100 upwards in order.
enum ByteLevelAlphabet {
  /// The byte that a scalar below U+0144 spells; −1 where it spells none.
  private static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    var next = 0x100
    for byte in 0..<256 {
      let printable =
        (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte)
        || (0xae...0xff).contains(byte)
      table[printable ? byte : next] = Int16(byte)
      if !printable { next += 1 }
    }
    return table
  }()

  /// The bytes that `token`, in UTF-8, spells, or nil where it has a character of another alphabet.
  static func bytes(_ token: some Collection<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(token.count)
    var lead = 0
    for byte in token {
      // The alphabet's scalars take one byte or two.
      let scalar: Int
      if lead != 0 {
        guard byte & 0xc0 == 0x80 else { return nil }
        scalar = (lead & 0x1f) << 6 | Int(byte & 0x3f)
        lead = 0
      } else if byte < 0x80 {
        scalar = Int(byte)
      } else {
        guard byte & 0xe0 == 0xc0 else { return nil }
        lead = Int(byte)
        continue
      }
      guard scalar < bytes.count, bytes[scalar] >= 0 else { return nil }
      result.append(UInt8(bytes[scalar]))
    }
    return lead == 0 ? result : nil
  }
}

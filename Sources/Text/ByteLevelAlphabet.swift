/// GPT-2's spelling of bytes as printable characters, in which byte-level vocabularies are written.
///
/// Source: `bytes_to_unicode` of GPT-2's encoder: printable Latin-1 stands for itself, the others
/// are U+0100 upwards in order.
enum ByteLevelAlphabet {
  private static let byScalar: [UInt32: UInt8] = {
    var table: [UInt32: UInt8] = [:]
    var next: UInt32 = 0x100
    for byte in UInt32(0)..<256 {
      let printable =
        (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte)
        || (0xae...0xff).contains(byte)
      table[printable ? byte : next] = UInt8(byte)
      if !printable { next += 1 }
    }
    return table
  }()

  /// The bytes that `token` spells, or nil where it has a character of another alphabet.
  static func bytes(_ token: String) -> [UInt8]? {
    var result: [UInt8] = []
    for scalar in token.unicodeScalars {
      guard let byte = byScalar[scalar.value] else { return nil }
      result.append(byte)
    }
    return result
  }
}

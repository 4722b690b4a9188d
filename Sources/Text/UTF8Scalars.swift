/// The scalar that starts at `at` of valid UTF-8, and its length in bytes.
func decodeScalar(
  _ text: UnsafeBufferPointer<UInt8>, _ at: Int, _ end: Int
) -> (Unicode.Scalar, Int) {
  let first = UInt32(text[at])
  let length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  if length == 1 || at + length > end {
    return (Unicode.Scalar(UInt8(truncatingIfNeeded: first)), 1)
  }
  var value = first & (0xff >> UInt32(length + 1))
  for index in 1..<length { value = value << 6 | UInt32(text[at + index] & 0x3f) }
  return (Unicode.Scalar(value) ?? "\u{fffd}", length)
}

/// The scalar that ends before `end` of valid UTF-8, not before `start`, and its length in bytes.
func decodeScalar(
  before end: Int, _ text: UnsafeBufferPointer<UInt8>, _ start: Int
) -> (Unicode.Scalar, Int) {
  var at = end - 1
  while at > start, text[at] & 0xc0 == 0x80 { at -= 1 }
  return decodeScalar(text, at, end)
}

/// How many bytes at the end of `bytes` start a character that more bytes may complete: 0 to 3.
func unfinishedLength(_ bytes: some BidirectionalCollection<UInt8>) -> Int {
  var continuation: UInt8?
  var length = 0
  for byte in bytes.reversed().prefix(3) {
    length += 1
    if byte & 0xc0 == 0x80 {
      continuation = byte
      continue
    }
    // The byte after the first is restricted for some: no overlong forms, halves of pairs, or
    // values past U+10FFFF (Unicode standard, table 3-7).
    let allowed: ClosedRange<UInt8> =
      switch byte {
      case 0xe0: 0xa0...0xbf
      case 0xed: 0x80...0x9f
      case 0xf0: 0x90...0xbf
      case 0xf4: 0x80...0x8f
      default: 0x80...0xbf
      }
    let whole =
      switch byte {
      case 0xc2...0xdf: 2
      case 0xe0...0xef: 3
      case 0xf0...0xf4: 4
      default: 0
      }
    return length < whole && continuation.map(allowed.contains) ?? true ? length : 0
  }
  return 0
}

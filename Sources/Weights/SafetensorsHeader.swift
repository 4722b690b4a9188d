/// The JSON header of a safetensors file.
///
/// Read by its own small parser, because a general JSON decoder lets two equal keys pass and takes
/// one of them. Anything that the format does not name is refused.
struct SafetensorsHeader {
  /// What the header says of a tensor, not yet checked against the file.
  struct Entry {
    var name: String
    var dtype: String
    var shape: [Int]
    /// First byte and end, counted from the end of the header.
    var begin: Int
    var end: Int
  }

  var entries: [Entry] = []
  var metadata: [String: String] = [:]

  /// Throws ``WeightError`` with the byte of the header where it stops being right.
  init(parsing bytes: UnsafeRawBufferPointer, path: String) throws(WeightError) {
    var reader = HeaderReader(bytes: bytes, path: path)
    guard bytes.first == UInt8(ascii: "{") else { throw reader.error("expected '{'") }
    var entries: [Entry] = []
    var metadata: [String: String] = [:]
    try reader.object("the header") { (reader, key) throws(WeightError) in
      if key == "__metadata__" {
        try reader.object(key) { (reader, name) throws(WeightError) in
          metadata[name] = try reader.string("metadata '\(name)'")
        }
      } else {
        entries.append(try reader.entry(key))
      }
    }
    reader.skipSpace()
    guard reader.offset == bytes.count else { throw reader.error("text after the last '}'") }
    self.entries = entries
    self.metadata = metadata
  }
}

/// A strict reader of the JSON that safetensors headers are made of: objects, arrays of whole
/// numbers, strings.
private struct HeaderReader {
  let bytes: UnsafeRawBufferPointer
  let path: String
  var offset = 0

  func error(_ problem: String) -> WeightError {
    WeightError(path: path, "header: \(problem) at byte \(offset)")
  }

  mutating func skipSpace() {
    while offset < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[offset]) { offset += 1 }
  }

  /// Skips white space and takes `byte` where it is next.
  mutating func takes(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  mutating func expect(_ character: Unicode.Scalar, _ what: String) throws(WeightError) {
    guard takes(character) else { throw error("expected '\(character)' in \(what)") }
  }

  /// Reads an object; `body` reads the value of each key.
  mutating func object(
    _ what: String, _ body: (inout HeaderReader, String) throws(WeightError) -> Void
  ) throws(WeightError) {
    try expect("{", what)
    if takes("}") { return }
    var keys = Set<String>()
    repeat {
      let key = try string(what)
      guard keys.insert(key).inserted else { throw error("key '\(key)' appears twice") }
      try expect(":", what)
      try body(&self, key)
    } while takes(",")
    try expect("}", what)
  }

  mutating func entry(_ name: String) throws(WeightError) -> SafetensorsHeader.Entry {
    var dtype: String?
    var shape: [Int]?
    var offsets: [Int]?
    let what = "tensor '\(name)'"
    try object(what) { (reader, key) throws(WeightError) in
      switch key {
      case "dtype": dtype = try reader.string(what)
      case "shape": shape = try reader.integers("shape of \(what)")
      case "data_offsets": offsets = try reader.integers("data_offsets of \(what)")
      default: throw reader.error("\(what): key '\(key)' is unknown")
      }
    }
    guard let dtype, let shape, let offsets else {
      throw error("\(what): expected dtype, shape and data_offsets")
    }
    guard offsets.count == 2 else {
      throw error("\(what): expected 2 data_offsets, found \(offsets.count)")
    }
    return .init(name: name, dtype: dtype, shape: shape, begin: offsets[0], end: offsets[1])
  }

  mutating func integers(_ what: String) throws(WeightError) -> [Int] {
    try expect("[", what)
    if takes("]") { return [] }
    var values: [Int] = []
    repeat { values.append(try integer(what)) } while takes(",")
    try expect("]", what)
    return values
  }

  /// A whole number that is not negative: no sign, fraction, exponent or leading zero.
  private mutating func integer(_ what: String) throws(WeightError) -> Int {
    skipSpace()
    let start = offset
    var value = 0
    while offset < bytes.count, case let digit = bytes[offset], digit >= 0x30, digit <= 0x39 {
      guard let shifted = multiplied(value, 10), let sum = added(shifted, Int(digit) - 0x30) else {
        throw error("\(what): the number is too large")
      }
      value = sum
      offset += 1
    }
    guard offset > start, offset == start + 1 || bytes[start] != 0x30 else {
      throw error("\(what): expected a whole number, not negative")
    }
    return value
  }

  mutating func string(_ what: String) throws(WeightError) -> String {
    try expect("\"", what)
    var text: [UInt8] = []
    while true {
      guard offset < bytes.count else { throw error("a string without end in \(what)") }
      let byte = bytes[offset]
      offset += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw error("invalid UTF-8 in \(what)")
        }
        return string
      case UInt8(ascii: "\\"): text.append(contentsOf: String(try escape(what)).utf8)
      case 0..<0x20: throw error("a control character in a string in \(what)")
      default: text.append(byte)
      }
    }
  }

  /// What follows a backslash.
  private mutating func escape(_ what: String) throws(WeightError) -> Unicode.Scalar {
    guard offset < bytes.count else { throw error("a string without end in \(what)") }
    let byte = bytes[offset]
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let unit = try codeUnit(what)
      if let scalar = Unicode.Scalar(unit) { return scalar }
      // The first half of a surrogate pair; the second must follow.
      guard unit < 0xdc00, bytes.count - offset >= 2, bytes[offset] == UInt8(ascii: "\\"),
        bytes[offset + 1] == UInt8(ascii: "u")
      else { throw error("half a surrogate pair in \(what)") }
      offset += 2
      let second = try codeUnit(what)
      guard (0xdc00...0xdfff).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (second - 0xdc00))
      else { throw error("half a surrogate pair in \(what)") }
      return scalar
    default: throw error("an unknown escape in \(what)")
    }
  }

  private mutating func codeUnit(_ what: String) throws(WeightError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard offset < bytes.count, let digit = Character(Unicode.Scalar(bytes[offset])).hexDigitValue
      else { throw error("expected four hexadecimal digits in \(what)") }
      value = value << 4 | UInt32(digit)
      offset += 1
    }
    return value
  }
}

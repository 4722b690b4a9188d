/// Reads JSON from its first byte to its last, with strings as exact bytes.
///
/// A dictionary of `String` would take `é` and `e` with U+0301 for one key, and a cut at a space
/// would miss one that carries an accent; vocabularies hold such tokens. It is lean too: a
/// vocabulary goes into flat arrays without a tree in between.
struct JSONCursor {
  /// Any JSON value; objects keep their order.
  indirect enum Value {
    case null
    case bool(Bool)
    case number(Double)
    case string([UInt8])
    case array([Value])
    case object([(key: [UInt8], value: Value)])
  }

  private static let deepest = 64

  private let bytes: [UInt8]
  private var at = 0
  /// Nothing of the innermost object or array has been read yet.
  private var isFirst = false

  /// A cursor before the first byte. Throws ``TokenizerError`` where `bytes` are not UTF-8.
  init(_ bytes: [UInt8]) throws(TokenizerError) {
    self.bytes = bytes
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      throw TokenizerError("tokenizer.json: not valid UTF-8")
    }
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { at = 3 }
  }

  private func failure(_ expected: String) -> TokenizerError {
    TokenizerError("tokenizer.json: not valid JSON at byte \(at): expected \(expected)")
  }

  private mutating func skipSpace() {
    while at < bytes.count {
      switch bytes[at] {
      case 0x20, 0x09, 0x0a, 0x0d: at += 1
      default: return
      }
    }
  }

  /// The next byte that is not white space; 0 at the end.
  mutating func peek() -> UInt8 {
    skipSpace()
    return at < bytes.count ? bytes[at] : 0
  }

  private mutating func expect(_ byte: UInt8) throws(TokenizerError) {
    guard peek() == byte, at < bytes.count else {
      throw failure("'\(Character(Unicode.Scalar(byte)))'")
    }
    at += 1
  }

  /// Checks that nothing follows.
  mutating func finish() throws(TokenizerError) {
    skipSpace()
    guard at == bytes.count else { throw failure("the end") }
  }

  /// Enters an object; read its members with ``nextKey()``.
  mutating func beginObject() throws(TokenizerError) {
    try expect(UInt8(ascii: "{"))
    isFirst = true
  }

  /// The next member's key, its value being next; nil at the object's end.
  mutating func nextKey() throws(TokenizerError) -> [UInt8]? {
    guard try hasNext(before: UInt8(ascii: "}")) else { return nil }
    let key = try string()
    try expect(UInt8(ascii: ":"))
    return key
  }

  /// Enters an array; its elements are there while ``nextElement()`` says so.
  mutating func beginArray() throws(TokenizerError) {
    try expect(UInt8(ascii: "["))
    isFirst = true
  }

  /// Whether another element comes; false at the array's end.
  mutating func nextElement() throws(TokenizerError) -> Bool {
    try hasNext(before: UInt8(ascii: "]"))
  }

  private mutating func hasNext(before close: UInt8) throws(TokenizerError) -> Bool {
    defer { isFirst = false }
    if peek() == close {
      at += 1
      return false
    }
    if !isFirst { try expect(UInt8(ascii: ",")) }
    return true
  }

  /// A string's bytes, escapes undone.
  mutating func string() throws(TokenizerError) -> [UInt8] {
    try expect(UInt8(ascii: "\""))
    var result: [UInt8] = []
    var start = at
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "\""):
        result += bytes[start..<at]
        at += 1
        return result
      case UInt8(ascii: "\\"):
        result += bytes[start..<at]
        try escape(into: &result)
        start = at
      case 0..<0x20: throw failure("no control character in a string")
      default: at += 1
      }
    }
    throw failure("the end of a string")
  }

  private mutating func escape(into result: inout [UInt8]) throws(TokenizerError) {
    at += 1
    let kind = at < bytes.count ? bytes[at] : 0
    at += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(kind)
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "f"): result.append(0x0c)
    case UInt8(ascii: "n"): result.append(0x0a)
    case UInt8(ascii: "r"): result.append(0x0d)
    case UInt8(ascii: "t"): result.append(0x09)
    case UInt8(ascii: "u"):
      var value = try hexadecimal()
      if value >> 10 == 0xd800 >> 10, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
        bytes[at + 1] == UInt8(ascii: "u")
      {
        at += 2
        let low = try hexadecimal()
        guard low >> 10 == 0xdc00 >> 10 else { throw failure("the second half of a pair") }
        value = 0x10000 + (value & 0x3ff) << 10 + low & 0x3ff
      }
      guard let scalar = Unicode.Scalar(value) else { throw failure("no half of a pair") }
      result += UTF8.encode(scalar).map { Array($0) } ?? []
    default: throw failure("an escape sequence")
    }
  }

  private mutating func hexadecimal() throws(TokenizerError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard at < bytes.count, let digit = Character(Unicode.Scalar(bytes[at])).hexDigitValue else {
        throw failure("four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      at += 1
    }
    return value
  }

  private mutating func number() throws(TokenizerError) -> Double {
    skipSpace()
    let start = at
    while at < bytes.count, "+-.0123456789Ee".utf8.contains(bytes[at]) { at += 1 }
    guard let value = Double(String(decoding: bytes[start..<at], as: UTF8.self)) else {
      at = start
      throw failure("a value")
    }
    return value
  }

  /// An id: a whole number from 0 to 2³¹ − 1.
  mutating func id() throws(TokenizerError) -> Int32 {
    let start = at
    guard let value = Int32(exactly: try number()), value >= 0 else {
      at = start
      throw failure("an id")
    }
    return value
  }

  private mutating func literal(
    _ word: StaticString, _ value: Value
  ) throws(TokenizerError) -> Value {
    for byte in "\(word)".utf8 {
      guard at < bytes.count, bytes[at] == byte else { throw failure("'\(word)'") }
      at += 1
    }
    return value
  }

  /// The next value, whatever it is.
  mutating func value(depth: Int = 0) throws(TokenizerError) -> Value {
    guard depth < Self.deepest else { throw failure("at most \(Self.deepest) levels") }
    switch peek() {
    case UInt8(ascii: "{"):
      var members: [(key: [UInt8], value: Value)] = []
      try beginObject()
      while let key = try nextKey() { members.append((key, try value(depth: depth + 1))) }
      return .object(members)
    case UInt8(ascii: "["):
      var elements: [Value] = []
      try beginArray()
      while try nextElement() { elements.append(try value(depth: depth + 1)) }
      return .array(elements)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return .number(try number())
    }
  }
}

extension JSONCursor.Value {
  /// The member `key` of an object; nil where there is none, or where it is null.
  subscript(_ key: StaticString) -> JSONCursor.Value? {
    guard case .object(let members) = self,
      let value = members.last(where: { $0.key.elementsEqual("\(key)".utf8) })?.value
    else { return nil }
    if case .null = value { return nil }
    return value
  }

  /// A string's exact bytes.
  var bytes: [UInt8]? { if case .string(let bytes) = self { bytes } else { nil } }
  /// A string, to be compared with ASCII or shown.
  var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var elements: [JSONCursor.Value]? { if case .array(let values) = self { values } else { nil } }
  var int: Int? { if case .number(let value) = self { Int(exactly: value) } else { nil } }
}

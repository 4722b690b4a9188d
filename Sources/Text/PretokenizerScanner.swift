/// Finds where the pieces of a text end, as the patterns that models were trained with would.
///
/// The patterns are hand-written: they are, with `L` letters, `N` numbers, `s` white space,
/// - GPT-2: `'s|'t|'re|'ve|'m|'ll|'d| ?L+| ?N+| ?[^sLN]+|s+(?!S)|s+`
/// - Llama 3: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nLN]?L+|N{1,3}| ?[^sLN]+[\r\n]*|s*[\r\n]+|s+(?!S)|s+`
/// - Qwen2: Llama 3's with `N` for `N{1,3}`
///
/// after their models' `tokenizer.json`.
struct PretokenizerScanner {
  private enum Kind { case letter, number, space, newline, other, end }

  let text: UnsafeBufferPointer<UInt8>
  let pretokenizer: Pretokenizer

  /// Calls `body` with every piece of `range`, as byte ranges.
  func pieces(of range: Range<Int>, _ body: (Range<Int>) -> Void) {
    switch pretokenizer {
    case .none:
      if !range.isEmpty { body(range) }
    case .digitsGPT2:
      var start = range.lowerBound
      var at = start
      while at < range.upperBound {
        let (kind, next) = kind(at, range.upperBound)
        if kind == .number {
          scan(start..<at, gpt2, body)
          body(at..<next)
          start = next
        }
        at = next
      }
      scan(start..<range.upperBound, gpt2, body)
    case .gpt2: scan(range, gpt2, body)
    case .llama3: scan(range, { modern($0, $1, digits: 3) }, body)
    case .qwen2: scan(range, { modern($0, $1, digits: 1) }, body)
    }
  }

  private func scan(
    _ range: Range<Int>, _ match: (Int, Int) -> Int, _ body: (Range<Int>) -> Void
  ) {
    var at = range.lowerBound
    while at < range.upperBound {
      let end = match(at, range.upperBound)
      body(at..<end)
      at = end
    }
  }

  private func gpt2(_ at: Int, _ end: Int) -> Int {
    if let after = contraction(at, end, anyCase: false) { return after }
    let (first, next) = kind(at, end)
    let skipsSpace = text[at] == 0x20 && next < end
    let (start, startKind) = skipsSpace ? (next, kind(next, end).0) : (at, first)
    switch skipsSpace && (startKind == .space || startKind == .newline) ? first : startKind {
    case .letter: return run(start, end) { $0 == .letter }
    case .number: return run(start, end) { $0 == .number }
    case .other: return run(start, end) { $0 == .other }
    default: return whitespace(at, end)
    }
  }

  private func modern(_ at: Int, _ end: Int, digits: Int) -> Int {
    if let after = contraction(at, end, anyCase: true) { return after }
    let (first, next) = kind(at, end)
    if first == .letter { return run(at, end) { $0 == .letter } }
    let second = next < end ? kind(next, end).0 : .end
    if first != .number, first != .newline, second == .letter {
      return run(next, end) { $0 == .letter }
    }
    if first == .number {
      var after = next
      for _ in 1..<max(digits, 1) where after < end {
        let (kind, following) = kind(after, end)
        if kind != .number { break }
        after = following
      }
      return after
    }
    if first == .other || (text[at] == 0x20 && second == .other) {
      let symbols = run(first == .other ? at : next, end) { $0 == .other }
      return run(symbols, end) { $0 == .newline }
    }
    // White space up to its last line break, where there is one.
    var lastBreak: Int?
    var cursor = at
    while cursor < end {
      let (kind, following) = kind(cursor, end)
      if kind == .newline { lastBreak = following } else if kind != .space { break }
      cursor = following
    }
    return lastBreak ?? whitespace(at, end)
  }

  /// `s+(?!S)|s+`: a run of white space, less its last character where more text follows.
  private func whitespace(_ at: Int, _ end: Int) -> Int {
    var cursor = at
    var last = at
    while cursor < end {
      let (kind, following) = kind(cursor, end)
      if kind != .space && kind != .newline { break }
      last = cursor
      cursor = following
    }
    return cursor == end || last == at ? max(cursor, at + 1) : last
  }

  private func run(_ at: Int, _ end: Int, _ belongs: (Kind) -> Bool) -> Int {
    var cursor = at
    while cursor < end {
      let (kind, following) = kind(cursor, end)
      if !belongs(kind) { break }
      cursor = following
    }
    return cursor
  }

  private func contraction(_ at: Int, _ end: Int, anyCase: Bool) -> Int? {
    guard text[at] == 0x27, at + 1 < end else { return nil }
    func lower(_ index: Int) -> UInt8 {
      guard index < end else { return 0 }
      let byte = text[index]
      return anyCase && byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    }
    switch (lower(at + 1), lower(at + 2)) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
      (UInt8(ascii: "d"), _):
      return at + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return at + 3
    case (0xc5, 0xbf) where anyCase:  // ſ folds to s
      return at + 3
    default: return nil
    }
  }

  /// The kind of the character at `at`, and where the next one starts.
  private func kind(_ at: Int, _ end: Int) -> (Kind, Int) {
    let byte = text[at]
    if byte < 0x80 {
      switch byte {
      case 0x41...0x5a, 0x61...0x7a: return (.letter, at + 1)
      case 0x30...0x39: return (.number, at + 1)
      case 0x0a, 0x0d: return (.newline, at + 1)
      case 0x20, 0x09, 0x0b, 0x0c: return (.space, at + 1)
      default: return (.other, at + 1)
      }
    }
    let (scalar, length) = decodeScalar(text, at, end)
    return (Self.kind(scalar), at + length)
  }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    let properties = scalar.properties
    if properties.isWhitespace { return .space }
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    default: return .other
    }
  }
}

extension Tokenizer {
  /// The text of `ids`. Bytes that are no UTF-8 become U+FFFD.
  ///
  /// Ids outside the vocabulary are left out; special tokens too where `skipSpecialTokens`.
  public func decode(_ ids: [Int32], skipSpecialTokens: Bool = false) -> String {
    String(decoding: decodeBytes(ids, skipSpecialTokens: skipSpecialTokens), as: UTF8.self)
  }

  /// The bytes of ``decode(_:skipSpecialTokens:)``.
  public func decodeBytes(_ ids: [Int32], skipSpecialTokens: Bool = false) -> [UInt8] {
    var result: [UInt8] = []
    for id in ids { append(id, to: &result, skipSpecialTokens) }
    if startsWithSpace, result.first == 0x20 { result.removeFirst() }
    return result
  }

  /// The bytes that one id stands for, inside a text.
  public func bytes(of id: Int32, skipSpecialTokens: Bool = false) -> [UInt8] {
    var result: [UInt8] = []
    append(id, to: &result, skipSpecialTokens)
    return result
  }

  /// The ids that have a line feed in them.
  public var lineFeeds: Set<Int32> {
    Set(
      (0..<Int32(vocabularySize)).filter { bytes(of: $0, skipSpecialTokens: true).contains(0x0a) })
  }

  /// Whether encoding puts a space before a text, which decoding takes away.
  var startsWithSpace: Bool { tables.byteFallback && tables.prependsSpace }

  private func append(_ id: Int32, to result: inout [UInt8], _ skipSpecialTokens: Bool) {
    guard id >= 0, Int(id) < tables.vocabularySize else { return }
    let token = tables.token(Int(id))
    if let added = addedById[id] {
      if skipSpecialTokens && added.special { return }
      // It was found in normalised text: with the space that came before it.
      if added.normalized && startsWithSpace { result.append(0x20) }
      result.append(contentsOf: token)
      return
    }
    guard tables.byteFallback else {
      result.append(contentsOf: token)
      return
    }
    if token.count == 6, let byte = byteIds.firstIndex(of: id) {
      result.append(UInt8(byte))
      return
    }
    var at = token.startIndex
    while at < token.endIndex {
      if token[at...].starts(with: [0xe2, 0x96, 0x81]) {
        result.append(0x20)
        at += 3
      } else {
        result.append(token[at])
        at += 1
      }
    }
  }
}

/// Decodes ids as they come, in whole characters.
///
/// The parts together are what ``Tokenizer/decode(_:skipSpecialTokens:)`` makes of all ids:
///
///     var decoder = IncrementalDecoder(tokenizer)
///     for id in ids { print(decoder.append(id), terminator: "") }
///     print(decoder.finish())
public struct IncrementalDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipSpecialTokens: Bool
  private var isAtStart: Bool
  private var held: [UInt8] = []

  /// A decoder for `tokenizer`. Where the ids go on from a text (`continues`), the space that
  /// some tokenizers put before a text is kept.
  public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = false, continues: Bool = false) {
    self.tokenizer = tokenizer
    self.skipSpecialTokens = skipSpecialTokens
    isAtStart = !continues
  }

  /// Takes an id. Returns the characters that are complete with it, maybe none.
  public mutating func append(_ id: Int32) -> String {
    var bytes = tokenizer.bytes(of: id, skipSpecialTokens: skipSpecialTokens)
    if isAtStart, let first = bytes.first {
      if tokenizer.startsWithSpace, first == 0x20 { bytes.removeFirst() }
      isAtStart = false
    }
    held += bytes
    let whole = held.count - unfinishedLength(held)
    defer { held.removeFirst(whole) }
    return String(decoding: held[..<whole], as: UTF8.self)
  }

  /// The rest: U+FFFD for a character that was not completed, else nothing.
  public mutating func finish() -> String {
    defer { held = [] }
    return String(decoding: held, as: UTF8.self)
  }
}

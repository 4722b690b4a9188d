private import Foundation

/// Byte-pair encoding as the Llama family uses it: text to ids and back.
///
/// Typical flow:
///
///     let tokenizer = try Tokenizer(serialized: file.tokenizerData())
///     let ids = tokenizer.encode("The capital of France is")
///     print(tokenizer.decode(ids))
///
/// Two kinds exist: byte-level BPE (GPT-2, SmolLM2, Llama 3, Qwen2), whose decoding gives back any
/// UTF-8 text as it was (Qwen2 normalises to NFC first), and BPE with byte fallback (Llama 2).
public final class Tokenizer: Sendable {
  let tables: TokenizerTables
  private let merger: BytePairMerger
  private let vocabulary: HashIndex
  /// Ids of the 256 bytes: as byte-level symbols, or as `<0xXX>`; -1 where there is none.
  private let byteIds: [Int32]
  private let plainAdded: AddedTokenFinder
  private let normalizedAdded: AddedTokenFinder
  private let addedById: [Int32: AddedToken]

  init(tables: TokenizerTables) throws(TokenizerError) {
    var vocabulary = HashIndex(count: tables.vocabularySize)
    for id in 0..<tables.vocabularySize where tables.offsets[id] < tables.offsets[id + 1] {
      let token = tables.token(id)
      vocabulary.insert(id, HashIndex.hash(token)) { tables.token($0).elementsEqual(token) }
    }
    func id(_ bytes: [UInt8]) -> Int32 {
      vocabulary.find(HashIndex.hash(bytes)) { tables.token($0).elementsEqual(bytes) }
        .map { Int32($0) } ?? -1
    }
    byteIds = (0..<256).map { byte in
      guard tables.byteFallback else { return id([UInt8(byte)]) }
      let hex = String(byte, radix: 16, uppercase: true)
      return id(Array("<0x\(hex.count == 1 ? "0" : "")\(hex)>".utf8))
    }
    self.tables = tables
    self.vocabulary = vocabulary
    merger = BytePairMerger(tables)
    addedById = Dictionary(tables.added.map { ($0.id, $0) }) { first, _ in first }
    func patterns(_ normalized: Bool) -> [(pattern: [UInt8], token: AddedToken)] {
      tables.added.filter { $0.normalized == normalized }.map {
        let content = Array(tables.token(Int($0.id)))
        return (normalized ? Self.normalize(content, tables) : content, $0)
      }
    }
    plainAdded = AddedTokenFinder(patterns(false))
    normalizedAdded = AddedTokenFinder(patterns(true))
  }

  /// A tokenizer in its serialised form. Throws ``TokenizerError`` naming what is wrong.
  public convenience init(serialized: [UInt8]) throws(TokenizerError) {
    let result = serialized.withUnsafeBytes { bytes -> Result<TokenizerTables, TokenizerError> in
      do throws(TokenizerError) {
        return .success(try TokenizerTables(serialized: bytes))
      } catch {
        return .failure(error)
      }
    }
    try self.init(tables: result.get())
  }

  /// The compact form that weight files hold.
  public func serialized() -> [UInt8] { tables.serialized() }

  /// The number of ids.
  public var vocabularySize: Int { tables.vocabularySize }
  /// The id that starts a text, if the model has one.
  public var bosId: Int32? { tables.bosId < 0 ? nil : tables.bosId }
  /// The id that ends a text, if the model has one.
  public var eosId: Int32? { tables.eosId < 0 ? nil : tables.eosId }

  /// The ids of `text`. Added tokens in the text are recognised. With `addSpecialTokens` the ids
  /// start with the bos id where the tokenizer says so.
  public func encode(_ text: String, addSpecialTokens: Bool = false) -> [Int32] {
    var ids: [Int32] = []
    if addSpecialTokens, tables.addsBos, tables.bosId >= 0 { ids.append(tables.bosId) }
    var text = tables.normalizesNFC ? text.precomposedStringWithCanonicalMapping : text
    text.withUTF8 { utf8 in
      each(utf8, 0..<utf8.count, plainAdded, &ids) { part, ids in encodePlain(utf8, part, &ids) }
    }
    return ids
  }

  /// Emits the matches of `finder` and calls `body` for what is between them.
  private func each(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ finder: AddedTokenFinder,
    _ ids: inout [Int32], _ body: (Range<Int>, inout [Int32]) -> Void
  ) {
    var start = range.lowerBound
    for match in finder.matches(in: text, range) {
      if start < match.whole.lowerBound { body(start..<match.whole.lowerBound, &ids) }
      ids.append(match.id)
      start = match.whole.upperBound
    }
    if start < range.upperBound { body(start..<range.upperBound, &ids) }
  }

  private func encodePlain(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ ids: inout [Int32]
  ) {
    if tables.byteFallback {
      let normal = Self.normalize(Array(text[range]), tables)
      normal.withUnsafeBufferPointer { normal in
        each(normal, 0..<normal.count, normalizedAdded, &ids) { part, ids in
          encodeWithFallback(normal, part, &ids)
        }
      }
      return
    }
    each(text, range, normalizedAdded, &ids) { part, ids in
      let scanner = PretokenizerScanner(text: text, pretokenizer: tables.pretokenizer)
      var symbols: [Int32] = []
      scanner.pieces(of: part) { piece in
        if tables.ignoreMerges, let id = id(text, piece) {
          ids.append(id)
          return
        }
        symbols.removeAll(keepingCapacity: true)
        for at in piece {
          // A byte that the vocabulary lacks (none of valid UTF-8 in real ones) is left out.
          let id = byteIds[Int(text[at])]
          if id >= 0 { symbols.append(id) }
        }
        merger.merge(&symbols)
        ids.append(contentsOf: symbols)
      }
    }
  }

  private func id(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int32? {
    let word = UnsafeBufferPointer(rebasing: text[range])
    return vocabulary.find(HashIndex.hash(word)) { tables.token($0).elementsEqual(word) }
      .map { Int32($0) }
  }

  /// `▁` for spaces, and one before the text.
  private static func normalize(_ text: [UInt8], _ tables: TokenizerTables) -> [UInt8] {
    guard tables.byteFallback, !text.isEmpty else { return text }
    var result: [UInt8] = tables.prependsSpace ? [0xe2, 0x96, 0x81] : []
    result.reserveCapacity(text.count + 16)
    for byte in text {
      if byte == 0x20 { result += [0xe2, 0x96, 0x81] } else { result.append(byte) }
    }
    return result
  }

  private func encodeWithFallback(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ ids: inout [Int32]
  ) {
    var symbols: [Int32] = []
    var at = range.lowerBound
    while at < range.upperBound {
      let (_, length) = decodeScalar(text, at, range.upperBound)
      let character = at..<at + length
      at += length
      if let id = id(text, character) {
        symbols.append(id)
      } else if character.allSatisfy({ byteIds[Int(text[$0])] >= 0 }) {
        for index in character { symbols.append(byteIds[Int(text[index])]) }
      } else if tables.unknownId >= 0,
        !(tables.fuseUnknown && symbols.last == tables.unknownId)
      {
        symbols.append(tables.unknownId)
      }
    }
    merger.merge(&symbols)
    ids.append(contentsOf: symbols)
  }

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
    if tables.byteFallback, tables.prependsSpace, result.first == 0x20 { result.removeFirst() }
    return result
  }

  /// The bytes that one id stands for, inside a text.
  public func bytes(of id: Int32, skipSpecialTokens: Bool = false) -> [UInt8] {
    var result: [UInt8] = []
    append(id, to: &result, skipSpecialTokens)
    return result
  }

  private func append(_ id: Int32, to result: inout [UInt8], _ skipSpecialTokens: Bool) {
    guard id >= 0, Int(id) < tables.vocabularySize else { return }
    let token = tables.token(Int(id))
    if let added = addedById[id] {
      if !(skipSpecialTokens && added.special) { result.append(contentsOf: token) }
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

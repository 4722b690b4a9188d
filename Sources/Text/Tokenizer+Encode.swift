private import Foundation

extension Tokenizer {
  /// The ids of `text`. Added tokens in the text are recognised. With `addSpecialTokens` the ids
  /// start with ``startIds``.
  public func encode(_ text: String, addSpecialTokens: Bool = false) -> [Int32] {
    var ids = addSpecialTokens ? startIds : []
    var text = text
    var words = WordEncoder()
    text.withUTF8 { utf8 in
      each(utf8, 0..<utf8.count, plainAdded, &ids) { part, ids in
        guard tables.normalizes else { return encode(utf8, part, &words, &ids) }
        let normal = tables.normalize(Array(utf8[part]))
        normal.withUnsafeBufferPointer { encode($0, 0..<$0.count, &words, &ids) }
      }
    }
    return ids
  }

  /// What encoding a text works with, from word to word.
  private struct WordEncoder {
    var symbols: [Int32] = []
    var scratch = BytePairMerger.Scratch()
  }

  /// Emits the matches of `finder` and calls `body` for what is between them.
  private func each(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ finder: AddedTokenFinder,
    _ ids: inout [Int32], _ body: (Range<Int>, inout [Int32]) -> Void
  ) {
    var start = range.lowerBound
    for match in finder.matches(in: text, range) {
      if start < match.range.lowerBound { body(start..<match.range.lowerBound, &ids) }
      ids.append(match.id)
      start = match.range.upperBound
    }
    if start < range.upperBound { body(start..<range.upperBound, &ids) }
  }

  /// Encodes normalised text that holds no plain added token.
  private func encode(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ words: inout WordEncoder,
    _ ids: inout [Int32]
  ) {
    each(text, range, normalizedAdded, &ids) { part, ids in
      if tables.byteFallback {
        symbols(text, part, &words.symbols)
        merger.merge(&words.symbols, &words.scratch)
        ids.append(contentsOf: words.symbols)
        return
      }
      PretokenizerScanner(text: text, pretokenizer: tables.pretokenizer).pieces(of: part) { piece in
        encodeWord(text, piece, &words, &ids)
      }
    }
  }

  private func encodeWord(
    _ text: UnsafeBufferPointer<UInt8>, _ word: Range<Int>, _ words: inout WordEncoder,
    _ ids: inout [Int32]
  ) {
    if tables.ignoreMerges, let id = id(text, word) {
      ids.append(id)
      return
    }
    words.symbols.removeAll(keepingCapacity: true)
    for at in word {
      // A byte that the vocabulary lacks (none of valid UTF-8 in real ones) is left out.
      let id = byteIds[Int(text[at])]
      if id >= 0 { words.symbols.append(id) }
    }
    merger.merge(&words.symbols, &words.scratch)
    ids.append(contentsOf: words.symbols)
  }

  private func id(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int32? {
    let word = UnsafeBufferPointer(rebasing: text[range])
    return vocabulary.find(HashIndex.hash(word)) { tables.token($0).elementsEqual(word) }
      .map { Int32($0) }
  }

  /// The characters' ids; of those that the vocabulary lacks, their bytes', or the unknown id.
  private func symbols(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ symbols: inout [Int32]
  ) {
    symbols.removeAll(keepingCapacity: true)
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
  }
}

extension TokenizerTables {
  /// Whether ``normalize(_:)`` changes anything.
  var normalizes: Bool { byteFallback || normalizesNFC }

  /// A text between added tokens in the form that is cut and merged: NFC; or `▁` for spaces, and
  /// one before the text.
  func normalize(_ text: [UInt8]) -> [UInt8] {
    if normalizesNFC {
      if text.allSatisfy({ $0 < 0x80 }) { return text }
      let composed = String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping
      return Array(composed.utf8)
    }
    guard byteFallback, !text.isEmpty else { return text }
    var result: [UInt8] = prependsSpace ? [0xe2, 0x96, 0x81] : []
    result.reserveCapacity(text.count + 16)
    for byte in text {
      if byte == 0x20 { result += [0xe2, 0x96, 0x81] } else { result.append(byte) }
    }
    return result
  }
}

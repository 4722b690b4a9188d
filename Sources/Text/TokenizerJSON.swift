public import Foundation

/// Reading Hugging Face's `tokenizer.json`.
extension Tokenizer {
  /// The tokenizer that a `tokenizer.json` describes.
  ///
  /// Throws ``TokenizerError`` naming the part that is missing, wrong or not supported.
  public convenience init(tokenizerJSON: Data) throws(TokenizerError) {
    try self.init(tables: TokenizerFile(Array(tokenizerJSON)).tables())
  }
}

/// The parts of `tokenizer.json` that matter here.
struct TokenizerFile {
  typealias Value = JSONCursor.Value

  private var addedTokens: [Value] = []
  var normalizer: Value?
  var pretokenizer: Value?
  var postProcessor: Value?
  private var type: String?
  private var unknownToken: [UInt8]?
  private var byteFallback = false
  private var fusesUnknown = false
  private var ignoresMerges = false
  private var vocabulary: SpelledVocabulary?
  /// Left and right parts of the merges, by turns; nil before they are read.
  private var mergeParts: ByteStrings?

  /// Reads the file. Throws ``TokenizerError`` where it is no JSON of this shape.
  init(_ bytes: [UInt8]) throws(TokenizerError) {
    var cursor = try JSONCursor(bytes)
    guard cursor.peek() == UInt8(ascii: "{") else { throw Self.failure("expected an object") }
    var hasModel = false
    try cursor.beginObject()
    while let key = try cursor.nextKey() {
      switch String(decoding: key, as: UTF8.self) {
      case "added_tokens": addedTokens = try cursor.value().elements ?? []
      case "normalizer": normalizer = try cursor.value()
      case "pre_tokenizer": pretokenizer = try cursor.value()
      case "post_processor": postProcessor = try cursor.value()
      case "model":
        try readModel(&cursor)
        hasModel = true
      default: _ = try cursor.value()
      }
    }
    try cursor.finish()
    guard hasModel else { throw Self.failure("field 'model' is missing") }
  }

  static func failure(_ problem: String) -> TokenizerError {
    TokenizerError("tokenizer.json: \(problem)")
  }

  private mutating func readModel(_ cursor: inout JSONCursor) throws(TokenizerError) {
    guard cursor.peek() == UInt8(ascii: "{") else {
      throw Self.failure("field 'model': expected an object")
    }
    try cursor.beginObject()
    while let key = try cursor.nextKey() {
      let key = String(decoding: key, as: UTF8.self)
      switch key {
      case "vocab" where cursor.peek() == UInt8(ascii: "{"):
        vocabulary = try SpelledVocabulary(&cursor)
      case "merges" where cursor.peek() == UInt8(ascii: "["): try readMerges(&cursor)
      case "vocab", "merges":
        // Other models have lists where BPE has these; the type is refused below.
        _ = try cursor.value()
      case "type": type = try cursor.value().text
      case "unk_token": unknownToken = try cursor.value().bytes
      case "byte_fallback": byteFallback = try cursor.value().bool ?? false
      case "fuse_unk": fusesUnknown = try cursor.value().bool ?? false
      case "ignore_merges": ignoresMerges = try cursor.value().bool ?? false
      case "continuing_subword_prefix", "end_of_word_suffix":
        if let affix = try cursor.value().bytes, !affix.isEmpty {
          throw Self.failure("model.\(key) (subword marks) is not supported")
        }
      default: _ = try cursor.value()
      }
    }
  }

  private mutating func readMerges(_ cursor: inout JSONCursor) throws(TokenizerError) {
    var parts = ByteStrings()
    try cursor.beginArray()
    while try cursor.nextElement() {
      let number = parts.count / 2
      switch cursor.peek() {
      case UInt8(ascii: "["):
        var count = 0
        try cursor.beginArray()
        while try cursor.nextElement() {
          parts.append(try cursor.string())
          count += 1
        }
        guard count == 2 else {
          throw Self.failure("model.merges[\(number)]: expected two parts, found \(count)")
        }
      default:
        let text = try cursor.string()
        guard let space = text.firstIndex(of: 0x20), text.lastIndex(of: 0x20) == space else {
          throw Self.failure(
            "model.merges[\(number)]: '\(String(decoding: text, as: UTF8.self))' is not a pair")
        }
        parts.append(text[..<space])
        parts.append(text[(space + 1)...])
      }
    }
    mergeParts = parts
  }

  /// The flat form. Throws ``TokenizerError`` naming what is not supported or contradicts itself.
  func tables() throws(TokenizerError) -> TokenizerTables {
    guard type ?? "BPE" == "BPE" else {
      throw Self.failure("model.type: expected BPE, found '\(type ?? "")'")
    }
    guard let vocabulary else {
      throw Self.failure("field 'model.vocab': expected an object of tokens and ids")
    }
    guard let mergeParts else {
      throw Self.failure("field 'model.merges': expected a list of pairs")
    }
    var tables = TokenizerTables()
    tables.byteFallback = byteFallback
    tables.fuseUnknown = fusesUnknown
    tables.ignoreMerges = ignoresMerges
    try readNormalizer(&tables)
    try readPretokenizer(&tables)
    try addTokens(vocabulary, &tables)
    try addMerges(mergeParts, vocabulary, &tables)
    if let unknownToken { tables.unknownId = vocabulary.id(unknownToken) ?? -1 }
    if let bos = try firstToken() {
      tables.bosId =
        tables.added.first { tables.token(Int($0.id)).elementsEqual(bos) }?.id
        ?? vocabulary.id(bos) ?? -1
      guard tables.bosId >= 0 else {
        throw Self.failure(
          "post_processor: '\(String(decoding: bos, as: UTF8.self))' is not a token")
      }
      tables.addsBos = true
    }
    return tables
  }

  private func addTokens(
    _ vocabulary: SpelledVocabulary, _ tables: inout TokenizerTables
  ) throws(TokenizerError) {
    var contents: [Int32: [UInt8]] = [:]
    for (number, entry) in addedTokens.enumerated() {
      guard let content = entry["content"]?.bytes, !content.isEmpty,
        let id = entry["id"]?.int.flatMap({ Int32(exactly: $0) }), id >= 0
      else { throw Self.failure("added_tokens[\(number)]: expected an id and a content") }
      let spelled = vocabulary.id(content)
      guard spelled == nil || spelled == id, contents.updateValue(content, forKey: id) == nil else {
        throw Self.failure(
          "added_tokens[\(number)]: '\(String(decoding: content, as: UTF8.self))' has id \(id), "
            + "but \(spelled.map { "model.vocab says \($0)" } ?? "another token has it too")")
      }
      var token = AddedToken(id: id, special: entry["special"]?.bool ?? false)
      token.normalized = entry["normalized"]?.bool ?? !token.special
      token.stripsLeft = entry["lstrip"]?.bool ?? false
      token.stripsRight = entry["rstrip"]?.bool ?? false
      token.singleWord = entry["single_word"]?.bool ?? false
      // In byte-level vocabularies only what is spelled as it is can be found by its bytes.
      token.inVocabulary =
        spelled != nil && (byteFallback || ByteLevelAlphabet.bytes(content) == content)
      tables.added.append(token)
    }
    let last = max(vocabulary.ids.max() ?? -1, contents.keys.max() ?? -1)
    guard last >= 0, Int(last) < vocabulary.ids.count + contents.count else {
      throw Self.failure("model.vocab: id \(last) is more than there are tokens")
    }
    var order = [Int32](repeating: -1, count: Int(last) + 1)
    for (index, id) in vocabulary.ids.enumerated() {
      guard order[Int(id)] < 0 else {
        throw Self.failure("model.vocab: two tokens have the id \(id)")
      }
      order[Int(id)] = Int32(index)
    }
    for (id, index) in order.enumerated() {
      let spelling = index < 0 ? [] : vocabulary.spelling(Int(index))
      if let content = contents[Int32(id)] {
        guard index < 0 || spelling.elementsEqual(content) else {
          throw Self.failure("added_tokens: the id \(id) is another token's in model.vocab")
        }
        tables.append(content)
      } else if byteFallback {
        tables.append(spelling)
      } else if let bytes = ByteLevelAlphabet.bytes(spelling) {
        tables.append(bytes)
      } else {
        throw Self.failure("model.vocab: token \(id) is not in the byte-level alphabet")
      }
    }
  }

  private func addMerges(
    _ parts: ByteStrings, _ vocabulary: SpelledVocabulary, _ tables: inout TokenizerTables
  ) throws(TokenizerError) {
    tables.merges.reserveCapacity(3 * (parts.count / 2))
    for number in 0..<parts.count / 2 {
      let (left, right) = (parts[2 * number], parts[2 * number + 1])
      guard let leftId = vocabulary.id(left), let rightId = vocabulary.id(right),
        let result = vocabulary.id(left + right)
      else {
        throw Self.failure(
          "model.merges[\(number)]: '\(String(decoding: left, as: UTF8.self)) "
            + "\(String(decoding: right, as: UTF8.self))' is not in the vocabulary")
      }
      for id in [leftId, rightId, result] { tables.merges.append(UInt32(bitPattern: id)) }
    }
  }
}

/// `model.vocab`: tokens as the file spells them, in its order, found by their exact bytes.
private struct SpelledVocabulary {
  private var spellings = ByteStrings()
  private(set) var ids: [Int32] = []
  private var index = HashIndex(count: 0)

  /// Reads the object that comes next.
  init(_ cursor: inout JSONCursor) throws(TokenizerError) {
    try cursor.beginObject()
    while let spelling = try cursor.nextKey() {
      spellings.append(spelling)
      ids.append(try cursor.id())
    }
    var index = HashIndex(count: ids.count)
    for number in ids.indices {
      let spelling = spellings[number]
      let hash = HashIndex.hash(spelling)
      guard index.find(hash, { spellings[$0].elementsEqual(spelling) }) == nil else {
        throw TokenizerFile.failure(
          "model.vocab: '\(String(decoding: spelling, as: UTF8.self))' is there twice")
      }
      index.insert(number, hash) { _ in false }
    }
    self.index = index
  }

  func spelling(_ number: Int) -> ArraySlice<UInt8> { spellings[number] }

  func id(_ spelling: some Collection<UInt8>) -> Int32? {
    index.find(HashIndex.hash(spelling)) { spellings[$0].elementsEqual(spelling) }
      .map { ids[$0] }
  }
}

/// Byte strings, one after the other in one piece of memory.
struct ByteStrings: Sendable {
  private var bytes: [UInt8] = []
  private var ends: [Int] = []

  var count: Int { ends.count }

  mutating func append(_ string: some Sequence<UInt8>) {
    bytes.append(contentsOf: string)
    ends.append(bytes.count)
  }

  subscript(_ index: Int) -> ArraySlice<UInt8> {
    bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
  }
}

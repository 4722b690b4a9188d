/// What a GGUF file says of its tokenizer (`tokenizer.ggml.…`), as plain values.
public struct GGUFTokenizerMetadata: Sendable {
  /// `tokenizer.ggml.model`: `gpt2` or `llama`.
  public var model: String
  /// `tokenizer.ggml.pre`, for example `smollm`.
  public var pre: String?
  /// `tokenizer.ggml.tokens`, as bytes of their spelling.
  public var tokens: [[UInt8]]
  /// `tokenizer.ggml.scores`, for `llama`.
  public var scores: [Double]
  /// `tokenizer.ggml.token_type`: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
  public var types: [Int]
  /// `tokenizer.ggml.merges`, pairs joined with a space, for `gpt2`.
  public var merges: [[UInt8]]
  /// `tokenizer.ggml.bos_token_id`.
  public var bosId: Int?
  /// `tokenizer.ggml.eos_token_id`.
  public var eosId: Int?
  /// `tokenizer.ggml.unknown_token_id`.
  public var unknownId: Int?
  /// `tokenizer.ggml.add_bos_token`.
  public var addsBos: Bool?
  /// `tokenizer.ggml.add_space_prefix`.
  public var addsSpacePrefix: Bool?

  /// All values.
  public init(
    model: String, pre: String?, tokens: [[UInt8]], scores: [Double], types: [Int],
    merges: [[UInt8]], bosId: Int?, eosId: Int?, unknownId: Int?, addsBos: Bool?,
    addsSpacePrefix: Bool?
  ) {
    self.model = model
    self.pre = pre
    self.tokens = tokens
    self.scores = scores
    self.types = types
    self.merges = merges
    self.bosId = bosId
    self.eosId = eosId
    self.unknownId = unknownId
    self.addsBos = addsBos
    self.addsSpacePrefix = addsSpacePrefix
  }
}

extension Tokenizer {
  /// The tokenizer of a GGUF file.
  ///
  /// Throws ``TokenizerError`` naming the key that is missing, wrong or not supported.
  public convenience init(gguf: GGUFTokenizerMetadata) throws(TokenizerError) {
    try self.init(tables: gguf.tables())
  }
}

extension GGUFTokenizerMetadata {
  fileprivate func tables() throws(TokenizerError) -> TokenizerTables {
    guard types.isEmpty || types.count == tokens.count else {
      throw TokenizerError(
        "tokenizer.ggml.token_type: expected \(tokens.count) values, found \(types.count)")
    }
    var tables = TokenizerTables()
    func id(_ value: Int?, _ key: String) throws(TokenizerError) -> Int32 {
      guard let value else { return -1 }
      guard tokens.indices.contains(value) else {
        throw TokenizerError("tokenizer.ggml.\(key): \(value) is outside the vocabulary")
      }
      return Int32(value)
    }
    tables.bosId = try id(bosId, "bos_token_id")
    tables.eosId = try id(eosId, "eos_token_id")
    tables.unknownId = try id(unknownId, "unknown_token_id")
    for (index, type) in types.enumerated() where type == 3 || type == 4 || type == 2 {
      tables.added.append(AddedToken(id: Int32(index), special: type != 4))
    }
    switch model {
    case "gpt2": try readByteLevel(&tables)
    case "llama": try readSentencePiece(&tables)
    default:
      throw TokenizerError("tokenizer.ggml.model: expected gpt2 or llama, found '\(model)'")
    }
    return tables
  }

  private func readByteLevel(_ tables: inout TokenizerTables) throws(TokenizerError) {
    switch pre ?? "gpt-2" {
    case "smollm": tables.pretokenizer = .digitsGPT2
    case "gpt-2", "default": tables.pretokenizer = .gpt2
    case "llama-bpe", "llama3", "llama-v3":
      tables.pretokenizer = .llama3
      tables.ignoreMerges = true
    case "qwen2":
      tables.pretokenizer = .qwen2
      tables.normalizesNFC = true
    case let other:
      throw TokenizerError(
        "tokenizer.ggml.pre: expected smollm, gpt-2, llama-bpe or qwen2, found '\(other)'")
    }
    tables.addsBos = (addsBos ?? (tables.pretokenizer == .llama3)) && tables.bosId >= 0
    let added = Set(tables.added.map(\.id))
    var ids: [[UInt8]: UInt32] = [:]
    for (index, token) in tokens.enumerated() {
      let spelled = ByteLevelAlphabet.bytes(token)
      guard !added.contains(Int32(index)), let spelled else {
        tables.append(token)
        continue
      }
      tables.append(spelled)
      ids[spelled] = UInt32(index)
    }
    for merge in merges {
      // A byte-level token holds no space: the first one separates the pair.
      guard let space = merge.firstIndex(of: 0x20),
        let left = ByteLevelAlphabet.bytes(merge[..<space]),
        let right = ByteLevelAlphabet.bytes(merge[(space + 1)...]),
        let leftId = ids[left], let rightId = ids[right], let result = ids[left + right]
      else {
        let text = String(decoding: merge, as: UTF8.self)
        throw TokenizerError("tokenizer.ggml.merges: '\(text)' is not in the vocabulary")
      }
      tables.merges += [leftId, rightId, result]
    }
  }

  /// SentencePiece merges the pair whose result has the highest score, the leftmost of equals:
  /// every way to cut a token in two tokens is a merge, ranked by the token's score.
  private func readSentencePiece(_ tables: inout TokenizerTables) throws(TokenizerError) {
    guard scores.count == tokens.count, !scores.contains(where: \.isNaN) else {
      throw TokenizerError(
        "tokenizer.ggml.scores: expected \(tokens.count) numbers, found \(scores.count)")
    }
    tables.pretokenizer = .none
    tables.byteFallback = true
    tables.fuseUnknown = true
    tables.prependsSpace = addsSpacePrefix ?? true
    tables.addsBos = (addsBos ?? true) && tables.bosId >= 0
    var ids: [[UInt8]: UInt32] = [:]
    for (index, token) in tokens.enumerated() {
      tables.append(token)
      if types.isEmpty || types[index] == 1 { ids[token] = UInt32(index) }
    }
    let order = ids.values.sorted {
      scores[Int($0)] != scores[Int($1)] ? scores[Int($0)] > scores[Int($1)] : $0 < $1
    }
    var last: Double?
    for id in order {
      let token = tokens[Int(id)]
      for cut in token.indices.dropFirst() where token[cut] & 0xc0 != 0x80 {
        if let left = ids[Array(token[..<cut])], let right = ids[Array(token[cut...])] {
          let tie = last == scores[Int(id)] ? TokenizerTables.tieBit : 0
          tables.merges += [left, right, id | tie]
          last = scores[Int(id)]
        }
      }
    }
  }
}

public import Foundation

/// Reading Hugging Face's `tokenizer.json`.
extension Tokenizer {
  /// The tokenizer that a `tokenizer.json` describes.
  ///
  /// Throws ``TokenizerError`` naming the part that is missing, wrong or not supported.
  public convenience init(tokenizerJSON: Data) throws(TokenizerError) {
    let file: TokenizerFile
    do {
      file = try JSONDecoder().decode(TokenizerFile.self, from: tokenizerJSON)
    } catch let error as DecodingError {
      throw TokenizerError("tokenizer.json: \(Self.problem(error))")
    } catch {
      throw TokenizerError("tokenizer.json: not valid JSON")
    }
    try self.init(tables: file.tables())
  }

  private static func problem(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, _): "field '\(key.stringValue)' is missing"
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      "field '\(context.codingPath.map(\.stringValue).joined(separator: "."))': expected \(type)"
    case .dataCorrupted(let context): context.debugDescription
    @unknown default: "not valid JSON"
    }
  }
}

/// The parts of `tokenizer.json` that matter here.
private struct TokenizerFile: Decodable {
  struct Added: Decodable {
    var id: Int
    var content: String
    var single_word: Bool?
    var lstrip: Bool?
    var rstrip: Bool?
    var normalized: Bool?
    var special: Bool?
  }

  /// Normalisers, pre-tokenizers, decoders and post-processors nest in sequences.
  struct Step: Decodable {
    struct Pattern: Decodable {
      var Regex: String?
      var String: String?
    }

    struct Piece: Decodable {
      struct Special: Decodable { var id: String }
      var SpecialToken: Special?
    }

    var type: String
    var normalizers: [Step]?
    var pretokenizers: [Step]?
    var processors: [Step]?
    var individual_digits: Bool?
    var add_prefix_space: Bool?
    var use_regex: Bool?
    var pattern: Pattern?
    var behavior: String?
    var invert: Bool?
    var prepend: String?
    var content: String?
    var single: [Piece]?
  }

  enum Merge: Decodable {
    case pair(String, String)

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let text = try? container.decode(String.self) {
        let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
          throw DecodingError.dataCorruptedError(
            in: container, debugDescription: "model.merges: '\(text)' is not a pair")
        }
        self = .pair(String(parts[0]), String(parts[1]))
        return
      }
      let parts = try container.decode([String].self)
      guard parts.count == 2 else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "model.merges: a merge of \(parts.count) parts")
      }
      self = .pair(parts[0], parts[1])
    }
  }

  struct Model: Decodable {
    var type: String?
    var vocab: [String: Int]
    var merges: [Merge]
    var unk_token: String?
    var byte_fallback: Bool?
    var fuse_unk: Bool?
    var ignore_merges: Bool?
    var continuing_subword_prefix: String?
    var end_of_word_suffix: String?
    var dropout: Double?
  }

  var added_tokens: [Added]?
  var normalizer: Step?
  var pre_tokenizer: Step?
  var post_processor: Step?
  var model: Model

  func tables() throws(TokenizerError) -> TokenizerTables {
    var tables = TokenizerTables()
    guard model.type ?? "BPE" == "BPE" else {
      throw TokenizerError("tokenizer.json: model.type expected BPE, found '\(model.type ?? "")'")
    }
    guard model.continuing_subword_prefix ?? "" == "", model.end_of_word_suffix ?? "" == "" else {
      throw TokenizerError("tokenizer.json: subword prefixes and suffixes are not supported")
    }
    tables.byteFallback = model.byte_fallback ?? false
    tables.fuseUnknown = model.fuse_unk ?? false
    tables.ignoreMerges = model.ignore_merges ?? false
    try readNormalizer(&tables)
    try readPretokenizer(&tables)
    try readVocabulary(&tables)
    tables.unknownId = model.unk_token.flatMap { model.vocab[$0] }.map { Int32($0) } ?? -1
    readPostProcessor(&tables)
    return tables
  }

  private func readNormalizer(_ tables: inout TokenizerTables) throws(TokenizerError) {
    for step in normalizer.map({ $0.normalizers ?? [$0] }) ?? [] {
      switch (step.type, tables.byteFallback) {
      case ("Prepend", true) where step.prepend == "▁": tables.prependsSpace = true
      case ("Replace", true) where step.pattern?.String == " " && step.content == "▁": break
      case ("NFC", false): tables.normalizesNFC = true
      default:
        throw TokenizerError("tokenizer.json: normalizer '\(step.type)' is not supported here")
      }
    }
  }

  private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
  private static let tail = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
  private static let gpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

  private func readPretokenizer(_ tables: inout TokenizerTables) throws(TokenizerError) {
    let steps = pre_tokenizer.map { $0.pretokenizers ?? [$0] } ?? []
    if tables.byteFallback {
      guard steps.isEmpty else {
        throw TokenizerError(
          "tokenizer.json: pre_tokenizer '\(steps[0].type)' with byte_fallback is not supported")
      }
      tables.pretokenizer = .none
      return
    }
    var pattern: Pretokenizer?
    var splitsDigits = false
    var isByteLevel = false
    for step in steps {
      switch step.type {
      case "Digits" where step.individual_digits == true && pattern == nil: splitsDigits = true
      case "Split" where step.behavior == "Isolated" && step.invert != true && pattern == nil:
        switch step.pattern?.Regex {
        case Self.contractions + "\\p{N}{1,3}" + Self.tail: pattern = .llama3
        case Self.contractions + "\\p{N}" + Self.tail: pattern = .qwen2
        case Self.gpt2: pattern = .gpt2
        case let other:
          throw TokenizerError(
            "tokenizer.json: pre_tokenizer Split by an unknown pattern: \(other ?? "none")")
        }
      case "ByteLevel" where step.add_prefix_space != true:
        isByteLevel = true
        if step.use_regex ?? true {
          guard pattern == nil else {
            throw TokenizerError("tokenizer.json: pre_tokenizer splits twice")
          }
          pattern = .gpt2
        }
      default:
        throw TokenizerError("tokenizer.json: pre_tokenizer '\(step.type)' is not supported here")
      }
    }
    guard isByteLevel, let pattern, !splitsDigits || pattern == .gpt2 else {
      throw TokenizerError(
        "tokenizer.json: expected a byte-level pre_tokenizer with GPT-2's, Llama 3's or Qwen2's pattern"
      )
    }
    tables.pretokenizer = splitsDigits ? .digitsGPT2 : pattern
  }

  private func readVocabulary(_ tables: inout TokenizerTables) throws(TokenizerError) {
    let added = added_tokens ?? []
    let size = (model.vocab.values.max() ?? -1, added.map(\.id).max() ?? -1)
    let count = max(size.0, size.1) + 1
    guard count > 0, count <= model.vocab.count + added.count,
      model.vocab.values.allSatisfy({ $0 >= 0 }), added.allSatisfy({ $0.id >= 0 })
    else { throw TokenizerError("tokenizer.json: ids are negative, or more than the tokens") }
    var tokens = [[UInt8]](repeating: [], count: count)
    let contents = Dictionary(added.map { ($0.id, $0.content) }) { first, _ in first }
    for (text, id) in model.vocab where contents[id] == nil {
      guard tables.byteFallback || ByteLevelAlphabet.bytes(text) != nil else {
        throw TokenizerError("tokenizer.json: token \(id) is not in the byte-level alphabet")
      }
      tokens[id] = tables.byteFallback ? Array(text.utf8) : ByteLevelAlphabet.bytes(text) ?? []
    }
    for (id, content) in contents { tokens[id] = Array(content.utf8) }
    for token in tokens { tables.append(token) }
    tables.merges.reserveCapacity(3 * model.merges.count)
    for case .pair(let left, let right) in model.merges {
      guard let leftId = model.vocab[left], let rightId = model.vocab[right],
        let result = model.vocab[left + right]
      else {
        throw TokenizerError(
          "tokenizer.json: model.merges: '\(left) \(right)' is not in the vocabulary")
      }
      tables.merges += [UInt32(leftId), UInt32(rightId), UInt32(result)]
    }
    for token in added {
      var entry = AddedToken(id: Int32(token.id), special: token.special ?? false)
      entry.normalized = token.normalized ?? !(token.special ?? false)
      entry.stripsLeft = token.lstrip ?? false
      entry.stripsRight = token.rstrip ?? false
      entry.singleWord = token.single_word ?? false
      tables.added.append(entry)
    }
  }

  private func readPostProcessor(_ tables: inout TokenizerTables) {
    for step in post_processor.map({ $0.processors ?? [$0] }) ?? []
    where step.type == "TemplateProcessing" {
      guard let name = step.single?.first?.SpecialToken?.id,
        let id = added_tokens?.first(where: { $0.content == name })?.id ?? model.vocab[name]
      else { continue }
      tables.bosId = Int32(id)
      tables.addsBos = true
    }
  }
}

/// The steps around the model. What is not known is refused by name.
extension TokenizerFile {
  /// The steps of a part: itself, or those of its sequence under `key`.
  private static func steps(
    _ part: Value?, _ name: StaticString, _ key: StaticString
  ) throws(TokenizerError) -> [(type: String, step: Value)] {
    guard let part else { return [] }
    if case .null = part { return [] }
    var result: [(String, Value)] = []
    for step in part[key]?.elements ?? [part] {
      guard let type = step["type"]?.text else {
        throw failure("\(name): expected an object with a type")
      }
      result.append((type, step))
    }
    return result
  }

  func readNormalizer(_ tables: inout TokenizerTables) throws(TokenizerError) {
    for (type, step) in try Self.steps(normalizer, "normalizer", "normalizers") {
      let content = step["content"]?.text
      switch (type, tables.byteFallback) {
      case ("Prepend", true) where step["prepend"]?.text == "▁": tables.prependsSpace = true
      case ("Replace", true) where step["pattern"]?["String"]?.text == " " && content == "▁": break
      case ("NFC", false): tables.normalizesNFC = true
      default: throw Self.failure("normalizer '\(type)' is not supported here")
      }
    }
  }

  private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
  private static let tail = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
  private static let gpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

  /// The splits that are known, by their patterns, letter by letter.
  private static func split(_ step: Value) throws(TokenizerError) -> Pretokenizer {
    guard step["behavior"]?.text == "Isolated", step["invert"]?.bool != true else {
      throw failure("pre_tokenizer 'Split': expected behavior Isolated, not inverted")
    }
    switch step["pattern"]?["Regex"]?.text {
    case contractions + "\\p{N}{1,3}" + tail: return .llama3
    case contractions + "\\p{N}" + tail: return .qwen2
    case gpt2: return .gpt2
    case let other:
      throw failure("pre_tokenizer 'Split' by an unknown pattern: \(other ?? "none")")
    }
  }

  func readPretokenizer(_ tables: inout TokenizerTables) throws(TokenizerError) {
    let steps = try Self.steps(pretokenizer, "pre_tokenizer", "pretokenizers")
    if tables.byteFallback {
      if let type = steps.first?.type {
        throw Self.failure("pre_tokenizer '\(type)' with byte_fallback is not supported")
      }
      tables.pretokenizer = .none
      return
    }
    var pattern: Pretokenizer?
    var splitsDigits = false
    var isByteLevel = false
    for (type, step) in steps {
      switch type {
      case _ where isByteLevel: throw Self.failure("pre_tokenizer '\(type)' after ByteLevel")
      case "Digits" where step["individual_digits"]?.bool == true && pattern == nil:
        splitsDigits = true
      case "Split" where pattern == nil: pattern = try Self.split(step)
      case "ByteLevel":
        if step["add_prefix_space"]?.bool == true {
          throw Self.failure("pre_tokenizer 'ByteLevel' with add_prefix_space is not supported")
        }
        isByteLevel = true
        if step["use_regex"]?.bool ?? true {
          guard pattern == nil else { throw Self.failure("pre_tokenizer splits twice") }
          pattern = .gpt2
        }
      default: throw Self.failure("pre_tokenizer '\(type)' is not supported here")
      }
    }
    guard isByteLevel, let pattern, !splitsDigits || pattern == .gpt2 else {
      throw Self.failure(
        "pre_tokenizer: expected a byte-level one with GPT-2's, Llama 3's or Qwen2's pattern")
    }
    tables.pretokenizer = splitsDigits ? .digitsGPT2 : pattern
  }

  /// The special token that a template puts before a text, if it does.
  func firstToken() throws(TokenizerError) -> [UInt8]? {
    for (type, step) in try Self.steps(postProcessor, "post_processor", "processors")
    where type == "TemplateProcessing" {
      if let name = step["single"]?.elements?.first?["SpecialToken"]?["id"]?.bytes { return name }
    }
    return nil
  }
}

import Text
import Weights

extension GGUFSource {
  /// The tokenizer that the metadata under `tokenizer.ggml` describes; nil where there is none.
  ///
  /// Throws ``WeightError`` naming the key that is missing, of another kind or not supported.
  func tokenizer() throws(WeightError) -> [UInt8]? {
    let keys = TokenizerKeys(file: file)
    guard keys.value("model") != nil else { return nil }
    let metadata = GGUFTokenizerMetadata(
      model: try file.string(keys.name("model")),
      pre: keys.value("pre") == nil ? nil : try file.string(keys.name("pre")),
      tokens: try keys.strings("tokens"), scores: try keys.numbers("scores"),
      types: try keys.integers("token_type"), merges: try keys.strings("merges"),
      bosId: try keys.integer("bos_token_id"), eosId: try keys.integer("eos_token_id"),
      unknownId: try keys.integer("unknown_token_id"), addsBos: try keys.flag("add_bos_token"),
      addsSpacePrefix: try keys.flag("add_space_prefix"))
    guard metadata.tokens.count <= architecture.vocabSize else {
      throw WeightError(
        path: file.path,
        "metadata '\(keys.name("tokens"))': expected at most \(architecture.vocabSize), as many "
          + "as token_embd.weight has rows, found \(metadata.tokens.count)")
    }
    do {
      return try Tokenizer(gguf: metadata).serialized()
    } catch {
      throw WeightError(path: file.path, error.description)
    }
  }
}

/// Metadata under `tokenizer.ggml`. A key that is missing is nil or empty; one of another kind is an
/// error.
private struct TokenizerKeys {
  let file: GGUFFile

  func name(_ key: String) -> String { "tokenizer.ggml." + key }

  func value(_ key: String) -> GGUFValue? { file.metadata[name(key)] }

  func integer(_ key: String) throws(WeightError) -> Int? {
    value(key) == nil ? nil : try file.integer(name(key))
  }

  func flag(_ key: String) throws(WeightError) -> Bool? {
    switch value(key) {
    case nil: return nil
    case .bool(let flag): return flag
    default: throw expected("a truth value", key)
    }
  }

  func strings(_ key: String) throws(WeightError) -> [[UInt8]] {
    try elements(key, "strings") { if case .string(let bytes) = $0 { bytes } else { nil } }
  }

  func integers(_ key: String) throws(WeightError) -> [Int] {
    try elements(key, "integers") {
      if case .integer(let number) = $0 { Int(exactly: number) } else { nil }
    }
  }

  func numbers(_ key: String) throws(WeightError) -> [Double] {
    try elements(key, "finite numbers") {
      switch $0 {
      case .number(let number) where number.isFinite: number
      case .integer(let number): Double(number)
      default: nil
      }
    }
  }

  private func elements<Element>(
    _ key: String, _ kind: String, _ element: (GGUFValue) -> Element?
  ) throws(WeightError) -> [Element] {
    guard let value = value(key) else { return [] }
    guard case .array(let values) = value else { throw expected("an array of \(kind)", key) }
    let elements = values.compactMap(element)
    guard elements.count == values.count else { throw expected("an array of \(kind)", key) }
    return elements
  }

  private func expected(_ kind: String, _ key: String) -> WeightError {
    WeightError(path: file.path, "metadata '\(name(key))': expected \(kind)")
  }
}

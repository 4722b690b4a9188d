import Weights

/// How the tensors of a Hugging Face folder are called, where there is more than one way.
struct TensorNames {
  private let prefix: String
  private let embedding: String
  private let tiedHead: Bool

  /// Looks at what `files` have. A head that differs from the embedding makes `architecture` untied:
  /// what the file holds is what the model is, whatever the configuration says.
  init(_ files: SafetensorsSet, architecture: inout Architecture) {
    // Files saved from the model without its head leave out the first part of the names.
    prefix =
      files.find("model.norm.weight") == nil && files.find("norm.weight") != nil ? "model." : ""
    var embedding = String("model.embed_tokens.weight".dropFirst(prefix.count))
    if architecture.tieWordEmbeddings, let head = files.find("lm_head.weight") {
      if let other = files.find(embedding) {
        architecture.tieWordEmbeddings =
          head.tensor.dtype == other.tensor.dtype && head.tensor.shape == other.tensor.shape
          && head.file.bytes(head.tensor).elementsEqual(other.file.bytes(other.tensor))
      } else {
        embedding = "lm_head.weight"
      }
    }
    self.embedding = embedding
    tiedHead = architecture.tieWordEmbeddings
  }

  /// The name in the files of a tensor of ours.
  func source(_ name: String) -> String {
    if name == "model.embed_tokens.weight" { return embedding }
    return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
  }

  /// Whether a tensor of the files may be left out: the second name of a tied matrix, and tables of
  /// rotary frequencies that old files have.
  func isIgnored(_ name: String) -> Bool {
    tiedHead && name == "lm_head.weight" || name.hasSuffix(".rotary_emb.inv_freq")
  }
}

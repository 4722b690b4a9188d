private import Storage
public import Weights

#if canImport(Glibc)
  private import Glibc
#endif

/// A tensor that a source gives, in Hugging Face's orientation and order of rows.
public struct SourceTensor {
  /// What is written.
  public let description: TensorDescription
  /// Calls its argument with the bytes of successive whole rows, in the stored type.
  let stream: ((UnsafeRawBufferPointer) throws(WeightError) -> Void) throws(WeightError) -> Void
}

/// A model in someone else's format.
public protocol ModelSource {
  /// The files that the model is read from: none of them can be the output.
  var paths: [String] { get }
  /// The shape of the model.
  var architecture: Architecture { get }
  /// The tensors in the order in which a sweep uses them.
  var tensors: [SourceTensor] { get }
  /// The tokenizer in its serialised form, or nil where the source has none.
  func tokenizer() throws(WeightError) -> [UInt8]?
}

/// The names and shapes of the tensors that an architecture needs, in order of use.
enum ExpectedTensors {
  /// Refuses a model with tensors that nothing would use: what they change would be lost.
  ///
  /// Throws ``WeightError`` naming the first of `names` that is not in `used`.
  static func refuseOthers(
    _ names: [String], used: Set<String>, architecture: Architecture, path: String
  ) throws(WeightError) {
    guard let other = names.first(where: { !used.contains($0) }) else { return }
    throw WeightError(
      path: path,
      "tensor '\(other)' is not one of a \(architecture.modelType) model with "
        + "\(architecture.numHiddenLayers) layers")
  }

  static func list(_ architecture: Architecture) -> [(name: String, rows: Int, columns: Int)] {
    let hidden = architecture.hiddenSize
    let heads = architecture.numAttentionHeads * architecture.headDim
    let groups = architecture.numKeyValueHeads * architecture.headDim
    let inner = architecture.intermediateSize
    var result = [("model.embed_tokens.weight", architecture.vocabSize, hidden)]
    for layer in 0..<architecture.numHiddenLayers {
      let prefix = "model.layers.\(layer)."
      result.append((prefix + "input_layernorm.weight", 1, hidden))
      for (name, rows) in [("q_proj", heads), ("k_proj", groups), ("v_proj", groups)] {
        result.append((prefix + "self_attn.\(name).weight", rows, hidden))
        if architecture.attentionBias {
          result.append((prefix + "self_attn.\(name).bias", 1, rows))
        }
      }
      result += [
        (prefix + "self_attn.o_proj.weight", hidden, heads),
        (prefix + "post_attention_layernorm.weight", 1, hidden),
        (prefix + "mlp.gate_proj.weight", inner, hidden),
        (prefix + "mlp.up_proj.weight", inner, hidden),
        (prefix + "mlp.down_proj.weight", hidden, inner),
      ]
    }
    result.append(("model.norm.weight", 1, hidden))
    if !architecture.tieWordEmbeddings {
      result.append(("lm_head.weight", architecture.vocabSize, hidden))
    }
    return result.map { (name: $0.0, rows: $0.1, columns: $0.2) }
  }
}

/// Opens whatever is at a path.
public enum AnyModelSource {
  /// The model at `path`: a GGUF file, a safetensors file beside its `config.json`, or a Hugging
  /// Face folder. The format is told from the content.
  ///
  /// Throws ``WeightError`` where it is none of them or something is missing or wrong in it.
  public static func open(_ path: String) throws(WeightError) -> any ModelSource {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw WeightError(path: path, "cannot be opened: \(String(cString: strerror(errno)))")
    }
    if status.st_mode & S_IFMT == S_IFDIR { return try HuggingFaceSource(folder: path) }
    let file: MappedFile
    do {
      file = try MappedFile(path: path)
    } catch {
      throw WeightError(path: path, error.problem)
    }
    if GGUFFile.matches(file.bytes) { return try GGUFSource(path: path) }
    if file.bytes.prefix(8).elementsEqual("IMPRINT\0".utf8) {
      throw WeightError(path: path, "is an .imprint file already")
    }
    // A safetensors file starts with its header's length and the header's brace.
    if file.bytes.count > 9, file.bytes[8] == 0x7b {
      let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
      return try HuggingFaceSource(folder: folder, file: path)
    }
    throw WeightError(
      path: path, "expected a GGUF file, a safetensors file or a Hugging Face model folder")
  }
}

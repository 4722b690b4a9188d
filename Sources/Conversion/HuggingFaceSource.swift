import Foundation
import Text
import Weights

/// A Hugging Face model folder: `config.json`, safetensors (one file, or shards with an index) and
/// `tokenizer.json`.
struct HuggingFaceSource: ModelSource {
  private let folder: String
  let architecture: Architecture
  let tensors: [SourceTensor]

  /// The model in `folder`; `file` is its only safetensors file, where that is what was named.
  init(folder: String, file: String? = nil) throws(WeightError) {
    let configPath = folder + "/config.json"
    let generation = try? Self.read(folder + "/generation_config.json")
    var architecture = try HuggingFaceConfiguration.architecture(
      json: try Self.read(configPath), generation: generation, path: configPath)
    let shards = try Self.shards(folder, file)
    func find(_ name: String) -> (file: SafetensorsFile, tensor: SafetensorsTensor)? {
      for shard in shards {
        if let tensor = shard.tensors[name] { return (shard, tensor) }
      }
      return nil
    }
    // Older files leave out the first part of the names.
    let prefix = find("model.norm.weight") == nil && find("norm.weight") != nil ? "model." : ""
    func source(_ name: String) -> String {
      name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    }
    var embeddingName = source("model.embed_tokens.weight")
    if architecture.tieWordEmbeddings, let head = find("lm_head.weight") {
      if let embedding = find(embeddingName) {
        let same =
          head.tensor.dtype == embedding.tensor.dtype
          && head.file.bytes(head.tensor).elementsEqual(embedding.file.bytes(embedding.tensor))
        // A head of its own is what the file says, whatever the configuration does.
        if !same { architecture.tieWordEmbeddings = false }
      } else {
        embeddingName = "lm_head.weight"
      }
    }
    var tensors: [SourceTensor] = []
    for expected in ExpectedTensors.list(architecture) {
      let name =
        expected.name == "model.embed_tokens.weight" ? embeddingName : source(expected.name)
      guard let (file, tensor) = find(name) else {
        throw WeightError(path: folder, "tensor '\(name)' is missing")
      }
      let shape = tensor.shape.count == 1 ? [1] + tensor.shape : tensor.shape
      guard shape == [expected.rows, expected.columns] else {
        throw WeightError(
          path: file.path,
          "tensor '\(name)': expected shape (\(expected.rows), \(expected.columns)), found \(tensor.shape)"
        )
      }
      guard let type = Self.type(tensor.dtype) else {
        throw WeightError(
          path: file.path,
          "tensor '\(name)': expected F32, F16 or BF16, found \(tensor.dtype)")
      }
      let bytes = file.bytes(tensor)
      let stored = FloatStream.storedType(type, bytes)
      tensors.append(
        SourceTensor(
          description: TensorDescription(
            name: expected.name, type: stored, rows: expected.rows, columns: expected.columns)
        ) { body throws(WeightError) in
          _ = file.path
          try FloatStream.rows(
            bytes, type: type, stored: stored, rowBytes: expected.columns * type.blockBytes, body)
        })
    }
    self.folder = folder
    self.architecture = architecture
    self.tensors = tensors
  }

  private static func type(_ dtype: String) -> WeightType? {
    switch dtype {
    case "F32": .f32
    case "F16": .f16
    case "BF16": .bf16
    default: nil
    }
  }

  private static func read(_ path: String) throws(WeightError) -> [UInt8] {
    do {
      return [UInt8](try Data(contentsOf: URL(filePath: path)))
    } catch {
      throw WeightError(path: path, "cannot be read")
    }
  }

  private struct Index: Decodable {
    var weight_map: [String: String]
  }

  private static func shards(
    _ folder: String, _ file: String?
  ) throws(WeightError) -> [SafetensorsFile] {
    if let file { return [try SafetensorsFile(path: file)] }
    let single = folder + "/model.safetensors"
    if FileManager.default.fileExists(atPath: single) {
      return [try SafetensorsFile(path: single)]
    }
    let indexPath = folder + "/model.safetensors.index.json"
    guard FileManager.default.fileExists(atPath: indexPath) else {
      throw WeightError(
        path: folder, "has neither model.safetensors nor model.safetensors.index.json")
    }
    let index: Index
    do {
      index = try JSONDecoder().decode(Index.self, from: Data(try read(indexPath)))
    } catch let error as WeightError {
      throw error
    } catch {
      throw WeightError(path: indexPath, "expected an object with 'weight_map'")
    }
    var shards: [SafetensorsFile] = []
    for name in Set(index.weight_map.values).sorted() {
      guard !name.contains("/") else {
        throw WeightError(path: indexPath, "weight_map: '\(name)' is not a file of the folder")
      }
      shards.append(try SafetensorsFile(path: "\(folder)/\(name)"))
    }
    return shards
  }

  func tokenizer() throws(WeightError) -> [UInt8]? {
    let path = folder + "/tokenizer.json"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    do {
      let bytes = try Self.read(path)
      return try Tokenizer(tokenizerJSON: Data(bytes)).serialized()
    } catch let error as TokenizerError {
      throw WeightError(path: path, error.description)
    } catch let error as WeightError {
      throw error
    } catch {
      throw WeightError(path: path, "cannot be read")
    }
  }
}

import Foundation
import Text
import Weights

/// A Hugging Face model folder: `config.json`, safetensors (one file, or shards with an index) and
/// `tokenizer.json`.
struct HuggingFaceSource: ModelSource {
  private let folder: String
  let architecture: Architecture
  let tensors: [SourceTensor]
  let paths: [String]

  /// The model in `folder`; `file` is its only safetensors file, where that is what was named.
  ///
  /// Throws ``WeightError`` naming the file and the field or the tensor that is missing, superfluous
  /// or wrong, and what was expected.
  init(folder: String, file: String? = nil) throws(WeightError) {
    let configPath = folder + "/config.json"
    let generationPath = folder + "/generation_config.json"
    var architecture = try HuggingFaceConfiguration.architecture(
      json: try Self.read(configPath),
      generation: Self.exists(generationPath) ? try Self.read(generationPath) : nil,
      path: configPath)
    let files = try SafetensorsSet(folder: folder, file: file)
    let names = TensorNames(files, architecture: &architecture)
    var tensors: [SourceTensor] = []
    var used: Set<String> = []
    for expected in ExpectedTensors.list(architecture) {
      let name = names.source(expected.name)
      guard let (file, tensor) = files.find(name) else {
        let why = expected.name == "lm_head.weight" ? " and tie_word_embeddings is false" : ""
        throw WeightError(
          path: file ?? folder,
          "tensor '\(name)' is missing\(why): expected shape (\(expected.rows), "
            + "\(expected.columns))")
      }
      used.insert(name)
      tensors.append(try Self.tensor(name, tensor, file, expected))
    }
    try ExpectedTensors.refuseOthers(
      files.names.filter { !names.isIgnored($0) }, used: used, architecture: architecture,
      path: file ?? folder)
    self.folder = folder
    self.architecture = architecture
    self.tensors = tensors
    paths = files.paths + [configPath, generationPath, folder + "/tokenizer.json"]
  }

  private static func tensor(
    _ name: String, _ tensor: SafetensorsTensor, _ file: SafetensorsFile,
    _ expected: (name: String, rows: Int, columns: Int)
  ) throws(WeightError) -> SourceTensor {
    let shape = tensor.shape.count == 1 ? [1] + tensor.shape : tensor.shape
    guard shape == [expected.rows, expected.columns] else {
      throw WeightError(
        path: file.path,
        "tensor '\(name)': expected shape (\(expected.rows), \(expected.columns)), found "
          + "\(tensor.shape)")
    }
    guard let type = Self.type(tensor.dtype) else {
      throw WeightError(
        path: file.path, "tensor '\(name)': expected F32, F16 or BF16, found \(tensor.dtype)")
    }
    let bytes = file.bytes(tensor)
    let stored = FloatStream.storedType(type, bytes)
    return SourceTensor(
      description: TensorDescription(
        name: expected.name, type: stored, rows: expected.rows, columns: expected.columns)
    ) { body throws(WeightError) in
      // The file stays mapped as long as its bytes are read.
      _ = file.path
      try FloatStream.rows(
        bytes, type: type, stored: stored, rowBytes: expected.columns * type.blockBytes, body)
    }
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

  private static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path)
  }

  func tokenizer() throws(WeightError) -> [UInt8]? {
    let path = folder + "/tokenizer.json"
    guard Self.exists(path) else { return nil }
    let bytes = try Self.read(path)
    do {
      return try Tokenizer(tokenizerJSON: Data(bytes)).serialized()
    } catch {
      throw WeightError(path: path, error.description)
    }
  }
}

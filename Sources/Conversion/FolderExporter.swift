import Foundation
public import LoRA
public import Storage
import Text
public import Weights

/// Writes a model as a Hugging Face folder: `config.json`, safetensors (one file, or shards with an
/// index), `generation_config.json` where there are end ids and, where one is given,
/// `tokenizer.json`.
///
/// All tensors have one type; an adapter is folded in. The folder appears whole or not at all.
public struct FolderExporter {
  /// How the tensors are stored: f32, f16 or bf16.
  public var type: WeightType
  /// The most bytes of a safetensors file; a tensor that is larger has a file of its own.
  public var shardBytes: Int

  /// An exporter; by default to f32, which holds every stored weight exactly, and 5 GB a file.
  public init(type: WeightType = .f32, shardBytes: Int = 5_000_000_000) {
    precondition(type == .f32 || type == .f16 || type == .bf16)
    self.type = type
    self.shardBytes = shardBytes
  }

  /// Writes the model in `file`, with W + s B A where `adapter` has a linear, to the folder
  /// `output`, which must not exist. Returns the bytes written.
  ///
  /// `tokenizer` is the path of the `tokenizer.json` to put beside it; it must be the model's own.
  /// `progress` is called with elements done, of all. Throws ``WeightError`` where a block is
  /// damaged, the tokenizer is another one or the output cannot be written; then there is no output.
  public func export(
    _ file: WeightFile, _ adapter: AdapterTensors<Float>? = nil, tokenizer: String? = nil,
    to output: String, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(WeightError) -> Int {
    let manager = FileManager.default
    var output = output
    while output.count > 1, output.hasSuffix("/") { output.removeLast() }
    guard !manager.fileExists(atPath: output) else {
      throw WeightError(path: output, "exists: expected the path of a new folder")
    }
    let tokenizer = try tokenizer.map { path throws(WeightError) in
      try Self.tokenizer(path, of: file)
    }
    let temporary = output + ".\(ProcessInfo.processInfo.processIdentifier).partial"
    do {
      try manager.createDirectory(atPath: temporary, withIntermediateDirectories: false)
    } catch {
      throw WeightError(path: output, "cannot be made")
    }
    defer { try? manager.removeItem(atPath: temporary) }
    try write(
      HuggingFaceConfiguration.json(file.architecture, dtype: type), to: temporary + "/config.json")
    if !file.architecture.eosTokenIds.isEmpty {
      try write(
        HuggingFaceConfiguration.generationJSON(file.architecture),
        to: temporary + "/generation_config.json")
    }
    if let tokenizer { try write(tokenizer, to: temporary + "/tokenizer.json") }
    let bytes = try tensors(file, MergedRows(adapter), folder: temporary, progress)
    do {
      try manager.moveItem(atPath: temporary, toPath: output)
    } catch {
      throw WeightError(path: output, "cannot be put in place")
    }
    return bytes
  }

  private func tensors(
    _ file: WeightFile, _ merged: MergedRows, folder: String, _ progress: (Int, Int) -> Void
  ) throws(WeightError) -> Int {
    let shards = shards(file.tensors)
    let total = file.tensors.reduce(0) { $0 + $1.rows * $1.columns }
    var done = 0
    var places: [String: String] = [:]
    for (number, shard) in shards.enumerated() {
      let name =
        shards.count == 1
        ? "model.safetensors"
        : String(format: "model-%05d-of-%05d.safetensors", number + 1, shards.count)
      let writer = try SafetensorsWriter(
        path: folder + "/" + name,
        tensors: shard.map {
          // Norms and biases are vectors.
          .init(
            name: $0.name, dtype: dtype, shape: $0.rows == 1 ? [$0.columns] : [$0.rows, $0.columns])
        }, metadata: ["format": "pt"])
      for tensor in shard {
        places[tensor.name] = name
        let scratch = UnsafeMutableRawBufferPointer.allocate(
          byteCount: max(1, tensor.scratchBytes), alignment: 64)
        defer { scratch.deallocate() }
        for start in stride(from: 0, to: tensor.rows, by: tensor.blockRows) {
          let rows = start..<min(start + tensor.blockRows, tensor.rows)
          try merged.bytes(of: tensor, rows, as: type, scratch: scratch, writer.append)
          done += rows.count * tensor.columns
          progress(done, total)
        }
      }
      try writer.finish()
    }
    let bytes = total * type.blockBytes
    if shards.count > 1 {
      try write(
        Self.json(Index(metadata: ["total_size": bytes], weight_map: places)),
        to: folder + "/model.safetensors.index.json")
    }
    return bytes
  }

  private struct Index: Encodable {
    var metadata: [String: Int]
    var weight_map: [String: String]
  }

  private var dtype: String {
    switch type {
    case .f16: "F16"
    case .bf16: "BF16"
    default: "F32"
    }
  }

  private func shards(_ tensors: [WeightTensor]) -> [[WeightTensor]] {
    var result: [[WeightTensor]] = [[]]
    var bytes = 0
    for tensor in tensors {
      let size = tensor.rows * tensor.columns * type.blockBytes
      if bytes > 0, bytes + size > shardBytes {
        result.append([])
        bytes = 0
      }
      result[result.count - 1].append(tensor)
      bytes += size
    }
    return result
  }

  /// The text of the `tokenizer.json` at `path`, which must be the one that `file` has.
  private static func tokenizer(
    _ path: String, of file: WeightFile
  ) throws(WeightError) -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw WeightError(path: path, "cannot be read")
    }
    guard let own = try file.tokenizerData() else { return [UInt8](data) }
    let other: [UInt8]
    do {
      other = try Tokenizer(tokenizerJSON: data).serialized()
    } catch {
      throw WeightError(path: path, error.description)
    }
    guard other.elementsEqual(own) else {
      throw WeightError(path: path, "is not the tokenizer of \(file.path)")
    }
    return [UInt8](data)
  }

  private static func json(_ value: some Encodable) throws(WeightError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      return [UInt8](try encoder.encode(value)) + [0x0a]
    } catch {
      throw WeightError(path: "model.safetensors.index.json", "cannot be written as JSON")
    }
  }

  private func write(_ bytes: [UInt8], to path: String) throws(WeightError) {
    do {
      try AtomicFile.write(bytes, to: path)
    } catch {
      throw WeightError(path: path, error.problem)
    }
  }
}

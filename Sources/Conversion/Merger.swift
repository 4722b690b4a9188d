public import LoRA
public import Storage
public import Weights

/// Folds an adapter into a new weight file, some rows at a time.
public struct Merger {
  /// How the merged matrices are stored.
  public var type: WeightType
  /// How much time compression may take.
  public var level: CompressionLevel

  /// A merger that stores merged matrices as f32, f16 or bf16.
  public init(type: WeightType = .f32, level: CompressionLevel = .fast) {
    precondition(type == .f32 || type == .f16 || type == .bf16)
    self.type = type
    self.level = level
  }

  /// Writes the model in `file` with W + s B A for every adapted linear to `output`.
  ///
  /// Other tensors are copied bit for bit. Throws ``WeightError`` where a block is damaged or the
  /// output cannot be written; then there is no output.
  public func merge(
    _ file: WeightFile, _ adapter: AdapterTensors<Float>, to output: String,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(WeightError) -> WriteSummary {
    let merged = MergedRows(adapter)
    let descriptions = file.tensors.map { tensor in
      var description = tensor.description
      if merged.changes(tensor.name) { description.type = type }
      return description
    }
    let writer = try WeightFileWriter(
      path: output, architecture: file.architecture, tokenizer: try file.tokenizerData(),
      tensors: descriptions, level: level)
    let total = file.tensors.reduce(0) { $0 + $1.rows * $1.columns }
    var done = 0
    for tensor in file.tensors {
      let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(1, tensor.scratchBytes), alignment: 64)
      defer { scratch.deallocate() }
      let step = tensor.blockRows
      for start in stride(from: 0, to: tensor.rows, by: step) {
        let rows = start..<min(start + step, tensor.rows)
        if merged.changes(tensor.name) {
          try merged.bytes(of: tensor, rows, as: type, scratch: scratch, writer.append)
        } else {
          let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: rows.count * tensor.description.rowBytes, alignment: 64)
          defer { bytes.deallocate() }
          try tensor.stored(
            rows: rows, into: bytes.baseAddress.unsafelyUnwrapped, scratch: scratch)
          try writer.append(UnsafeRawBufferPointer(bytes))
        }
        done += rows.count * tensor.columns
        progress(done, total)
      }
    }
    return try writer.finish()
  }
}

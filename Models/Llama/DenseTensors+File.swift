import Operations
import Storage
public import Weights

extension DenseTensors where S == Float {
  /// Writes the parameters as a weight file with the architecture and the tokenizer of `source`.
  ///
  /// `type` is f32, or bf16 (to nearest, ties to even). Throws ``WeightError`` where the file cannot
  /// be written; then there is none.
  public func write(
    to path: String, like source: WeightFile, type: WeightType = .f32
  ) throws(WeightError) -> WriteSummary {
    precondition(type == .f32 || type == .bf16)
    let writer = try WeightFileWriter(
      path: path, architecture: source.architecture, tokenizer: try source.tokenizerData(),
      tensors: layout.keys.map { key in
        let shape = key.shape(in: layout.architecture)
        return TensorDescription(
          name: key.name, type: type, rows: shape.rows, columns: shape.columns)
      })
    for key in layout.keys {
      guard let values = self[key] else { continue }
      let step = max(1, 65536 / values.columns)
      var narrow = [UInt16](repeating: 0, count: type == .bf16 ? step * values.columns : 0)
      for start in stride(from: 0, to: values.rows, by: step) {
        let part = values.rows(start..<min(start + step, values.rows))
        if type == .f32 {
          try writer.append(UnsafeRawBufferPointer(start: part.pointer, count: 4 * part.count))
          continue
        }
        narrow.withUnsafeMutableBufferPointer { buffer in
          if let base = buffer.baseAddress { Float.toBF16(part.count, part.pointer, base) }
        }
        let failure = narrow.withUnsafeBytes { bytes -> WeightError? in
          do throws(WeightError) {
            try writer.append(UnsafeRawBufferPointer(rebasing: bytes[0..<2 * part.count]))
            return nil
          } catch { return error }
        }
        if let failure { throw failure }
      }
    }
    return try writer.finish()
  }
}

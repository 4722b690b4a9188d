import Storage

/// A value of a GGUF file's metadata.
public enum GGUFValue: Sendable {
  /// Any integer type.
  case integer(Int64)
  /// Any floating-point type.
  case number(Double)
  /// A truth value.
  case bool(Bool)
  /// UTF-8 text; invalid bytes are kept as they are.
  case string([UInt8])
  /// Values of the same kind, not nested deeper than this.
  case array([GGUFValue])
}

/// A tensor of a GGUF file.
public struct GGUFTensor: Sendable {
  /// Its name, in llama.cpp's spelling.
  public let name: String
  /// How its elements are stored.
  public let type: WeightType
  /// Sizes as in Hugging Face: slowest first.
  public let shape: [Int]
  /// Its bytes in the file.
  let range: Range<Int>
}

/// A GGUF file (version 2 or 3, little-endian), mapped read-only.
///
/// Source: the GGUF specification in ggml's documentation.
public final class GGUFFile: Sendable {
  /// Where the file is.
  public let path: String
  /// All metadata by key.
  public let metadata: [String: GGUFValue]
  /// All tensors in the order of the file.
  public let tensors: [GGUFTensor]
  private let file: MappedFile

  /// Whether `bytes` starts like a GGUF file.
  public static func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 4 && bytes.prefix(4).elementsEqual("GGUF".utf8)
  }

  /// Opens the file at `path` and checks all that it says of itself against its size.
  ///
  /// Throws ``WeightError`` naming the key or the tensor that is wrong and what was expected.
  public init(path: String) throws(WeightError) {
    let file = try MappedFile.open(path)
    var reader = GGUFReader(bytes: file.bytes, path: path)
    guard Self.matches(file.bytes) else { throw reader.error("not a GGUF file: wrong magic") }
    reader.offset = 4
    let version: UInt32 = try reader.integer("version")
    guard version == 2 || version == 3 else {
      let hint = [2, 3].contains(version.byteSwapped) ? " (the file is big-endian)" : ""
      throw reader.error("version \(version) is unknown; 2 and 3 are read\(hint)")
    }
    let tensorCount = try reader.count("tensor count", elementBytes: 24)
    let keyCount = try reader.count("metadata count", elementBytes: 13)
    var metadata: [String: GGUFValue] = [:]
    for _ in 0..<keyCount {
      let key = String(
        decoding: try reader.string("a metadata key", limit: GGUFReader.maximumKey), as: UTF8.self)
      let value = try reader.value(key)
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw reader.error("metadata key '\(key)' appears twice")
      }
    }
    let alignment = try Self.alignment(metadata["general.alignment"], reader)
    var entries: [GGUFReader.TensorEntry] = []
    var names = Set<String>()
    for _ in 0..<tensorCount {
      let entry = try reader.tensor()
      guard names.insert(entry.name).inserted else {
        throw reader.error("tensor '\(entry.name)' appears twice")
      }
      entries.append(entry)
    }
    let dataStart = (reader.offset + alignment - 1) / alignment * alignment
    guard dataStart <= file.bytes.count || entries.isEmpty else {
      throw reader.error("truncated: the data should start at byte \(dataStart)")
    }
    var tensors: [GGUFTensor] = []
    for entry in entries {
      guard entry.offset % UInt64(alignment) == 0 else {
        throw reader.error("tensor '\(entry.name)': offset \(entry.offset) is not aligned")
      }
      guard let offset = Int(exactly: entry.offset), let start = added(dataStart, offset),
        let end = added(start, entry.bytes), end <= file.bytes.count
      else { throw reader.error("tensor '\(entry.name)': its data lies past the end of the file") }
      tensors.append(
        GGUFTensor(name: entry.name, type: entry.type, shape: entry.shape, range: start..<end))
    }
    let sorted = tensors.sorted { $0.range.lowerBound < $1.range.lowerBound }
    for (first, second) in zip(sorted, sorted.dropFirst())
    where first.range.upperBound > second.range.lowerBound {
      throw reader.error("tensors '\(first.name)' and '\(second.name)' overlap")
    }
    self.path = path
    self.file = file
    self.metadata = metadata
    self.tensors = tensors
  }

  /// Where llama.cpp stores a row of a query or key matrix of a Llama model: it interleaves the two
  /// halves of every head, so that row (side, pair) is at 2 · pair + side.
  public static func interleaved(_ row: Int, headDim: Int) -> Int {
    let (head, inside) = row.quotientAndRemainder(dividingBy: headDim)
    let half = headDim / 2
    return head * headDim + 2 * (inside % half) + inside / half
  }

  private static func alignment(
    _ value: GGUFValue?, _ reader: GGUFReader
  ) throws(WeightError) -> Int {
    guard let value else { return 32 }
    guard case .integer(let number) = value, number > 0, number <= 1 << 20,
      number & (number - 1) == 0
    else { throw reader.error("general.alignment: expected a power of two up to 2^20") }
    return Int(number)
  }

  /// The stored bytes of a tensor, valid as long as this object.
  public func bytes(_ tensor: GGUFTensor) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: file.bytes[tensor.range])
  }

  /// The elements as f32; F32, F16 and BF16 only. Throws ``WeightError`` for other types.
  public func floats(_ tensor: GGUFTensor) throws(WeightError) -> [Float] {
    let bytes = bytes(tensor)
    let count = tensor.shape.reduce(1, *)
    switch tensor.type {
    case .f32: return (0..<count).map { Float(bitPattern: bytes.integer(at: 4 * $0)) }
    case .f16:
      return (0..<count).map {
        Float(Float16(bitPattern: bytes.integer(at: 2 * $0, as: UInt16.self)))
      }
    case .bf16:
      return (0..<count).map {
        Float(bitPattern: UInt32(bytes.integer(at: 2 * $0, as: UInt16.self)) << 16)
      }
    default:
      throw WeightError(
        path: path, "tensor '\(tensor.name)': expected F32, F16 or BF16, found \(tensor.type.label)"
      )
    }
  }

  /// An integer of the metadata. Throws ``WeightError`` where it is missing or of another kind.
  public func integer(_ key: String) throws(WeightError) -> Int {
    guard let value = metadata[key] else { throw missing(key, "an integer") }
    guard case .integer(let number) = value, let result = Int(exactly: number) else {
      throw WeightError(path: path, "metadata '\(key)': expected an integer")
    }
    return result
  }

  /// A number of the metadata. Throws ``WeightError`` where it is missing or of another kind.
  public func number(_ key: String) throws(WeightError) -> Double {
    switch metadata[key] {
    case .number(let value): return value
    case .integer(let value): return Double(value)
    case nil: throw missing(key, "a number")
    default: throw WeightError(path: path, "metadata '\(key)': expected a number")
    }
  }

  /// A text of the metadata. Throws ``WeightError`` where it is missing or of another kind.
  public func string(_ key: String) throws(WeightError) -> String {
    guard let value = metadata[key] else { throw missing(key, "a string") }
    guard case .string(let bytes) = value else {
      throw WeightError(path: path, "metadata '\(key)': expected a string")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func missing(_ key: String, _ kind: String) -> WeightError {
    WeightError(path: path, "metadata '\(key)' is missing: expected \(kind)")
  }
}

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
      throw reader.error("version \(version) is unknown; 2 and 3 are read")
    }
    let tensorCount = try reader.count("tensor count", elementBytes: 24)
    let keyCount = try reader.count("metadata count", elementBytes: 13)
    var metadata: [String: GGUFValue] = [:]
    for _ in 0..<keyCount {
      let key = String(decoding: try reader.string("metadata key"), as: UTF8.self)
      let value = try reader.value(key)
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw reader.error("metadata key '\(key)' appears twice")
      }
    }
    var alignment = 32
    if case .integer(let value)? = metadata["general.alignment"] {
      guard value > 0, value <= 1 << 20, value & (value - 1) == 0 else {
        throw reader.error("general.alignment: expected a power of two up to 2^20, found \(value)")
      }
      alignment = Int(value)
    }
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
      throw reader.error("truncated: the data starts at \(dataStart), after the end")
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

  /// The stored bytes of a tensor, valid as long as this object.
  public func bytes(_ tensor: GGUFTensor) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: file.bytes[tensor.range])
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

/// Reads a GGUF header with every length checked against the file.
private struct GGUFReader {
  struct TensorEntry {
    var name: String
    var type: WeightType
    var shape: [Int]
    var offset: UInt64
    var bytes: Int
  }

  let bytes: UnsafeRawBufferPointer
  let path: String
  var offset = 0

  func error(_ problem: String) -> WeightError { WeightError(path: path, problem) }

  mutating func integer<I: FixedWidthInteger>(
    _ what: String, as type: I.Type = I.self
  ) throws(WeightError) -> I {
    let size = MemoryLayout<I>.size
    guard bytes.count - offset >= size else { throw error("truncated in \(what)") }
    defer { offset += size }
    return bytes.integer(at: offset)
  }

  /// A count of things that take at least `elementBytes` each.
  mutating func count(_ what: String, elementBytes: Int) throws(WeightError) -> Int {
    let value: UInt64 = try integer(what)
    guard value <= UInt64((bytes.count - offset) / elementBytes) else {
      throw error("\(what): \(value) do not fit the file")
    }
    return Int(value)
  }

  mutating func string(_ what: String) throws(WeightError) -> [UInt8] {
    let length: UInt64 = try integer(what)
    guard length <= UInt64(bytes.count - offset) else {
      throw error("\(what): a string of \(length) bytes does not fit the file")
    }
    let end = offset + Int(length)
    defer { offset = end }
    return Array(bytes[offset..<end])
  }

  mutating func value(_ key: String) throws(WeightError) -> GGUFValue {
    let type: UInt32 = try integer("the type of '\(key)'")
    guard type == 9 else { return try scalar(type, key) }
    let element: UInt32 = try integer("the element type of '\(key)'")
    guard element != 9 else { throw error("metadata '\(key)': nested arrays are not read") }
    let count = try self.count("the length of '\(key)'", elementBytes: Self.leastBytes(element))
    var values: [GGUFValue] = []
    values.reserveCapacity(count)
    for _ in 0..<count { values.append(try scalar(element, key)) }
    return .array(values)
  }

  private static func leastBytes(_ type: UInt32) -> Int {
    switch type {
    case 2, 3: 2
    case 4, 5, 6: 4
    case 8, 10, 11, 12: 8
    default: 1
    }
  }

  private mutating func scalar(_ type: UInt32, _ key: String) throws(WeightError) -> GGUFValue {
    let what = "metadata '\(key)'"
    switch type {
    case 0: return .integer(Int64(try integer(what, as: UInt8.self)))
    case 1: return .integer(Int64(try integer(what, as: Int8.self)))
    case 2: return .integer(Int64(try integer(what, as: UInt16.self)))
    case 3: return .integer(Int64(try integer(what, as: Int16.self)))
    case 4: return .integer(Int64(try integer(what, as: UInt32.self)))
    case 5: return .integer(Int64(try integer(what, as: Int32.self)))
    case 6: return .number(Double(Float(bitPattern: try integer(what))))
    case 7:
      let byte: UInt8 = try integer(what)
      guard byte <= 1 else { throw error("\(what): expected 0 or 1, found \(byte)") }
      return .bool(byte == 1)
    case 8: return .string(try string(what))
    case 10:
      let value: UInt64 = try integer(what)
      guard let signed = Int64(exactly: value) else {
        throw error("\(what): \(value) is too large")
      }
      return .integer(signed)
    case 11: return .integer(try integer(what))
    case 12: return .number(Double(bitPattern: try integer(what)))
    default: throw error("\(what): type \(type) is unknown")
    }
  }

  mutating func tensor() throws(WeightError) -> TensorEntry {
    let name = String(decoding: try string("a tensor's name"), as: UTF8.self)
    let dimensions: UInt32 = try integer("tensor '\(name)'")
    guard (1...4).contains(dimensions) else {
      throw error("tensor '\(name)': expected 1 to 4 dimensions, found \(dimensions)")
    }
    var shape: [Int] = []
    var elements: Int? = 1
    for _ in 0..<dimensions {
      let size: UInt64 = try integer("tensor '\(name)'")
      guard let size = Int(exactly: size), size > 0 else {
        throw error("tensor '\(name)': a dimension of \(size)")
      }
      shape.insert(size, at: 0)
      elements = elements.flatMap { multiplied($0, size) }
    }
    guard let elements else {
      throw error("tensor '\(name)': the product of its dimensions overflows")
    }
    let code: UInt32 = try integer("tensor '\(name)'")
    guard let type = Self.type(code) else {
      throw error(
        "tensor '\(name)': type \(code) is not read (F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K are)"
      )
    }
    let columns = shape.last ?? 1
    guard columns % type.blockElements == 0,
      let bytes = multiplied(elements / type.blockElements, type.blockBytes)
    else {
      throw error("tensor '\(name)': \(columns) columns are not whole blocks of \(type.label)")
    }
    return TensorEntry(
      name: name, type: type, shape: shape, offset: try integer("tensor '\(name)'"), bytes: bytes)
  }

  /// ggml's type numbers.
  private static func type(_ code: UInt32) -> WeightType? {
    switch code {
    case 0: .f32
    case 1: .f16
    case 2: .q4_0
    case 3: .q4_1
    case 6: .q5_0
    case 7: .q5_1
    case 8: .q8_0
    case 12: .q4_K
    case 13: .q5_K
    case 14: .q6_K
    case 30: .bf16
    default: nil
    }
  }
}

import Storage

/// A tensor of a safetensors file.
public struct SafetensorsTensor: Sendable {
  /// The element type as the file spells it, for example `F32`.
  public let dtype: String
  /// The sizes, slowest first.
  public let shape: [Int]
  /// Where the elements are in the file.
  let range: Range<Int>

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }
}

/// A safetensors file, mapped read-only.
///
/// Source: the format's specification (8 bytes of header length, JSON header, data without holes).
public final class SafetensorsFile: Sendable {
  /// Where the file is.
  public let path: String
  /// The names of all tensors in the order of the file.
  public let names: [String]
  /// All tensors by name.
  public let tensors: [String: SafetensorsTensor]
  /// The header's `__metadata__`.
  public let metadata: [String: String]
  private let file: MappedFile

  /// The largest header that is taken: 100 MB, as the reference implementation.
  static let maximumHeader = 100_000_000

  /// The size in bytes of an element, or nil for a type that is not known.
  static func elementBytes(_ dtype: String) -> Int? {
    switch dtype {
    case "F64", "I64", "U64": 8
    case "F32", "I32", "U32": 4
    case "F16", "BF16", "I16", "U16": 2
    case "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2": 1
    default: nil
    }
  }

  /// Opens the file at `path` and checks its header against its size.
  ///
  /// Throws ``WeightError`` naming what is wrong: the header's length, its JSON, a tensor's type,
  /// shape or place, holes, overlaps or trailing bytes.
  public init(path: String) throws(WeightError) {
    let file = try MappedFile.open(path)
    let bytes = file.bytes
    guard bytes.count >= 8 else {
      throw WeightError(path: path, "not a safetensors file: shorter than its header length")
    }
    let length: UInt64 = bytes.integer(at: 0)
    guard length <= UInt64(Self.maximumHeader) else {
      throw WeightError(path: path, "header length \(length) is above the limit of 100000000")
    }
    let dataStart = 8 + Int(length)
    guard dataStart <= bytes.count else {
      throw WeightError(path: path, "header of \(length) bytes is longer than the file")
    }
    let header = try SafetensorsHeader(
      parsing: UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]), path: path)
    var tensors: [String: SafetensorsTensor] = [:]
    for entry in header.entries {
      tensors[entry.name] = try Self.check(entry, dataStart: dataStart, file: file)
    }
    // Empty tensors share their place with others: their names decide.
    let ordered = tensors.sorted {
      ($0.value.range.lowerBound, $0.value.range.upperBound, $0.key)
        < ($1.value.range.lowerBound, $1.value.range.upperBound, $1.key)
    }
    var next = dataStart
    for (name, tensor) in ordered {
      let start = tensor.range.lowerBound
      guard start == next else {
        throw WeightError(
          path: path,
          "tensor '\(name)' \(start < next ? "overlaps another" : "follows a hole"): "
            + "expected offset \(next - dataStart), found \(start - dataStart)")
      }
      next = tensor.range.upperBound
    }
    guard next == bytes.count else {
      throw WeightError(path: path, "\(bytes.count - next) bytes after the last tensor")
    }
    self.path = path
    self.file = file
    self.tensors = tensors
    names = ordered.map(\.key)
    metadata = header.metadata
  }

  private static func check(
    _ entry: SafetensorsHeader.Entry, dataStart: Int, file: MappedFile
  ) throws(WeightError) -> SafetensorsTensor {
    let bytes = try Self.bytes(
      dtype: entry.dtype, shape: entry.shape, name: entry.name, path: file.path)
    guard entry.end >= entry.begin, entry.end <= file.bytes.count - dataStart else {
      throw WeightError(
        path: file.path,
        "tensor '\(entry.name)': data_offsets [\(entry.begin), \(entry.end)] lie outside the file")
    }
    guard entry.end - entry.begin == bytes else {
      throw WeightError(
        path: file.path,
        "tensor '\(entry.name)': expected \(bytes) bytes for \(entry.dtype) \(entry.shape), "
          + "found \(entry.end - entry.begin)")
    }
    return SafetensorsTensor(
      dtype: entry.dtype, shape: entry.shape,
      range: dataStart + entry.begin..<dataStart + entry.end)
  }

  /// The size of a tensor. Throws ``WeightError`` where its type is unknown or its size is not one.
  static func bytes(
    dtype: String, shape: [Int], name: String, path: String
  ) throws(WeightError) -> Int {
    guard let size = elementBytes(dtype) else {
      throw WeightError(path: path, "tensor '\(name)': dtype '\(dtype)' is unknown")
    }
    var bytes = size
    for dimension in shape {
      guard dimension >= 0, let product = multiplied(bytes, dimension) else {
        throw WeightError(
          path: path, "tensor '\(name)': the product of its shape is negative or overflows")
      }
      bytes = product
    }
    return bytes
  }

  /// The tensor of this name. Throws ``WeightError`` where there is none.
  public func tensor(_ name: String) throws(WeightError) -> SafetensorsTensor {
    guard let tensor = tensors[name] else {
      throw WeightError(path: path, "tensor '\(name)' is missing")
    }
    return tensor
  }

  /// The stored bytes of a tensor, valid as long as this object.
  public func bytes(_ tensor: SafetensorsTensor) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: file.bytes[tensor.range])
  }

  /// The elements as f32; F64, F32, F16 and BF16 only. Throws ``WeightError`` for other types.
  public func floats(_ name: String) throws(WeightError) -> [Float] {
    let tensor = try tensor(name)
    let bytes = bytes(tensor)
    switch tensor.dtype {
    case "F64":
      return (0..<tensor.count).map {
        Float(Double(bitPattern: bytes.integer(at: 8 * $0)))
      }
    case "F32": return (0..<tensor.count).map { Float(bitPattern: bytes.integer(at: 4 * $0)) }
    case "BF16":
      return (0..<tensor.count).map {
        Float(bitPattern: UInt32(bytes.integer(at: 2 * $0, as: UInt16.self)) << 16)
      }
    case "F16":
      return (0..<tensor.count).map {
        Float(Float16(bitPattern: bytes.integer(at: 2 * $0, as: UInt16.self)))
      }
    default:
      throw WeightError(
        path: path, "tensor '\(name)': expected a floating-point type, found \(tensor.dtype)")
    }
  }

  /// The elements as f64: exact for F64. Throws as ``floats(_:)``.
  public func doubles(_ name: String) throws(WeightError) -> [Double] {
    let tensor = try tensor(name)
    guard tensor.dtype == "F64" else { return try floats(name).map(Double.init) }
    let bytes = bytes(tensor)
    return (0..<tensor.count).map { Double(bitPattern: bytes.integer(at: 8 * $0)) }
  }
}

import Storage

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

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
    let header: Header
    do {
      header = try JSONDecoder().decode(
        Header.self, from: Data(UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart])))
    } catch {
      throw WeightError(path: path, "header: \(jsonProblem(error))")
    }
    var tensors: [String: SafetensorsTensor] = [:]
    for (name, entry) in header.entries {
      tensors[name] = try Self.check(name, entry, dataStart: dataStart, file: file)
    }
    var next = dataStart
    for (name, tensor) in tensors.sorted(by: {
      ($0.value.range.lowerBound, $0.value.range.upperBound)
        < ($1.value.range.lowerBound, $1.value.range.upperBound)
    }) {
      guard tensor.range.lowerBound == next else {
        let kind = tensor.range.lowerBound < next ? "overlaps another" : "follows a hole"
        throw WeightError(
          path: path, "tensor '\(name)' \(kind): expected offset \(next - dataStart)")
      }
      next = tensor.range.upperBound
    }
    guard next == bytes.count else {
      throw WeightError(path: path, "\(bytes.count - next) bytes after the last tensor")
    }
    self.path = path
    self.file = file
    self.tensors = tensors
    metadata = header.metadata
  }

  private static func check(
    _ name: String, _ entry: Header.Entry, dataStart: Int, file: MappedFile
  ) throws(WeightError) -> SafetensorsTensor {
    guard let size = elementBytes(entry.dtype) else {
      throw WeightError(path: file.path, "tensor '\(name)': dtype '\(entry.dtype)' is unknown")
    }
    var bytes: Int? = size
    for dimension in entry.shape {
      guard dimension >= 0 else {
        throw WeightError(path: file.path, "tensor '\(name)': shape has a negative size")
      }
      bytes = bytes.flatMap { multiplied($0, dimension) }
    }
    guard let bytes else {
      throw WeightError(path: file.path, "tensor '\(name)': the product of its shape overflows")
    }
    guard entry.offsets.count == 2, entry.offsets[0] >= 0, entry.offsets[1] >= entry.offsets[0],
      entry.offsets[1] <= file.bytes.count - dataStart
    else {
      throw WeightError(
        path: file.path, "tensor '\(name)': data_offsets \(entry.offsets) lie outside the file")
    }
    guard entry.offsets[1] - entry.offsets[0] == bytes else {
      throw WeightError(
        path: file.path,
        "tensor '\(name)': expected \(bytes) bytes for \(entry.dtype) \(entry.shape), found \(entry.offsets[1] - entry.offsets[0])"
      )
    }
    return SafetensorsTensor(
      dtype: entry.dtype, shape: entry.shape,
      range: dataStart + entry.offsets[0]..<dataStart + entry.offsets[1])
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

/// The JSON header.
private struct Header: Decodable {
  struct Entry: Decodable {
    var dtype: String
    var shape: [Int]
    var offsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }
  }

  struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  var entries: [String: Entry] = [:]
  var metadata: [String: String] = [:]

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    for key in container.allKeys {
      if key.stringValue == "__metadata__" {
        metadata = try container.decode([String: String].self, forKey: key)
      } else {
        entries[key.stringValue] = try container.decode(Entry.self, forKey: key)
      }
    }
  }
}

/// Writes a safetensors file, tensor after tensor, beside its place, and renames it into it.
public final class SafetensorsWriter {
  /// A tensor that will be written.
  public struct Description: Sendable {
    /// Its name.
    public var name: String
    /// Its element type, for example `F32`.
    public var dtype: String
    /// Its sizes, slowest first.
    public var shape: [Int]

    /// All values.
    public init(name: String, dtype: String = "F32", shape: [Int]) {
      self.name = name
      self.dtype = dtype
      self.shape = shape
    }
  }

  private let file: AtomicFile
  private let expected: Int

  /// Starts a file at `path` with the header of `tensors`, whose bytes follow in that order.
  ///
  /// Throws ``WeightError`` where the folder cannot be written or a type is unknown.
  public init(
    path: String, tensors: [Description], metadata: [String: String] = [:]
  ) throws(WeightError) {
    var offset = 0
    var parts: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }
        .map { "\(quoted($0.key)):\(quoted($0.value))" }
      parts.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    for tensor in tensors {
      guard let size = SafetensorsFile.elementBytes(tensor.dtype) else {
        throw WeightError(path: path, "tensor '\(tensor.name)': dtype '\(tensor.dtype)' is unknown")
      }
      let end = offset + tensor.shape.reduce(size, *)
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      parts.append(
        "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.dtype)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(parts.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(0x20) }
    var start: [UInt8] = []
    start.append(little: UInt64(header.count))
    expected = 8 + header.count + offset
    do {
      file = try AtomicFile(path: path)
      try file.append(start + header)
    } catch {
      throw WeightError(path: path, error.problem)
    }
  }

  /// Appends the next bytes of the tensors, in order.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(WeightError) {
    do {
      try file.append(bytes)
    } catch {
      throw WeightError(path: file.path, error.problem)
    }
  }

  /// Puts the file in its place. Throws ``WeightError`` where bytes are missing.
  public func finish() throws(WeightError) {
    guard file.count == expected else {
      throw WeightError(path: file.path, "expected \(expected) bytes, were given \(file.count)")
    }
    do {
      try file.commit()
    } catch {
      throw WeightError(path: file.path, error.problem)
    }
  }
}

/// A JSON string literal.
private func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\u{0}"..<"\u{20}":
      let hex = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

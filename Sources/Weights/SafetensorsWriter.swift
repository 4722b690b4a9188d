import Storage

/// Writes a safetensors file, tensor after tensor, beside its place, and renames it into it.
///
/// Typical flow: ``init(path:tensors:metadata:)``, ``append(_:)`` for the bytes of every tensor in
/// the order given, ``finish()``. A writer that is dropped leaves nothing behind.
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
  /// Throws ``WeightError`` where the folder cannot be written, a type is unknown, a name is used
  /// twice or is `__metadata__`, a size is negative or too large, or the header is above 100 MB.
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
    var names: Set = ["__metadata__"]
    for tensor in tensors {
      guard names.insert(tensor.name).inserted else {
        throw WeightError(path: path, "tensor '\(tensor.name)': its name is taken")
      }
      let bytes = try SafetensorsFile.bytes(
        dtype: tensor.dtype, shape: tensor.shape, name: tensor.name, path: path)
      guard let end = added(offset, bytes) else {
        throw WeightError(path: path, "tensor '\(tensor.name)': the file would be too large")
      }
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      parts.append(
        "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.dtype)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(parts.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(0x20) }
    guard header.count <= SafetensorsFile.maximumHeader,
      let total = added(8 + header.count, offset)
    else { throw WeightError(path: path, "the header or the file would be too large") }
    expected = total
    var start: [UInt8] = []
    start.append(little: UInt64(header.count))
    do {
      file = try AtomicFile(path: path)
      try file.append(start + header)
    } catch {
      throw WeightError(path: path, error.problem)
    }
  }

  /// Appends the next bytes of the tensors, little-endian, in order.
  ///
  /// Throws ``WeightError`` where they are more than was described or cannot be written.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(WeightError) {
    guard bytes.count <= expected - file.count else {
      throw WeightError(path: file.path, "more bytes than the tensors have")
    }
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

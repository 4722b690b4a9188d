/// Makes GGUF files, right ones and wrong ones.
public struct GGUFBuilder {
  /// The bytes so far.
  public private(set) var bytes: [UInt8] = Array("GGUF".utf8)
  private var metadata: [[UInt8]] = []
  private var tensors: [[UInt8]] = []
  private var data: [UInt8] = []
  /// The version that is written.
  public var version: UInt32 = 3
  /// Where tensors start.
  public var alignment = 32
  /// Counts that are written instead of the right ones.
  public var tensorCount: UInt64?
  /// As ``tensorCount``.
  public var metadataCount: UInt64?

  /// An empty file.
  public init() {}

  private static func little<I: FixedWidthInteger>(_ value: I) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  private static func string(_ text: String) -> [UInt8] {
    little(UInt64(text.utf8.count)) + Array(text.utf8)
  }

  /// Adds a value of ggml type `type` as its bytes.
  public mutating func add(_ key: String, type: UInt32, raw: [UInt8]) {
    metadata.append(Self.string(key) + Self.little(type) + raw)
  }

  /// Adds a text.
  public mutating func add(_ key: String, _ text: String) {
    add(key, type: 8, raw: Self.string(text))
  }

  /// Adds a u32.
  public mutating func add(_ key: String, _ value: Int) {
    add(key, type: 4, raw: Self.little(UInt32(value)))
  }

  /// Adds an f32.
  public mutating func add(_ key: String, _ value: Float) {
    add(key, type: 6, raw: Self.little(value.bitPattern))
  }

  /// Adds a tensor; `shape` is slowest first, `type` ggml's number.
  public mutating func tensor(
    _ name: String, _ shape: [UInt64], type: UInt32, _ values: [UInt8], offset: UInt64? = nil
  ) {
    while data.count % alignment != 0 { data.append(0) }
    var entry = Self.string(name) + Self.little(UInt32(shape.count))
    for size in shape.reversed() { entry += Self.little(size) }
    entry += Self.little(type) + Self.little(offset ?? UInt64(data.count))
    tensors.append(entry)
    data += values
  }

  /// Adds an F32 tensor.
  public mutating func tensor(_ name: String, _ shape: [Int], _ values: [Float]) {
    tensor(
      name, shape.map { UInt64($0) }, type: 0, values.flatMap { Self.little($0.bitPattern) })
  }

  /// The whole file.
  public func file() -> [UInt8] {
    var result = bytes + Self.little(version)
    result += Self.little(tensorCount ?? UInt64(tensors.count))
    result += Self.little(metadataCount ?? UInt64(metadata.count))
    for entry in metadata + tensors { result += entry }
    while result.count % alignment != 0 { result.append(0) }
    return result + data
  }
}

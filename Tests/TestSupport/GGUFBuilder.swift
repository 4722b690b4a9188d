/// Makes GGUF files, right ones and wrong ones: whatever is asked for is written as it is.
public struct GGUFBuilder {
  /// A metadata value with its type number.
  public struct Value {
    var type: UInt32
    var bytes: [UInt8]

    /// Any type number with any bytes.
    public init(type: UInt32, bytes: [UInt8]) {
      self.type = type
      self.bytes = bytes
    }

    /// Type 4.
    public static func u32(_ value: UInt32) -> Value {
      Value(type: 4, bytes: GGUFBuilder.little(value))
    }

    /// Type 6.
    public static func f32(_ value: Float) -> Value {
      Value(type: 6, bytes: GGUFBuilder.little(value.bitPattern))
    }

    /// Type 7.
    public static func bool(_ value: Bool) -> Value { Value(type: 7, bytes: [value ? 1 : 0]) }

    /// Type 8.
    public static func string(_ value: String) -> Value {
      Value(type: 8, bytes: GGUFBuilder.counted(value))
    }

    /// Type 9 of `element`s, with a `count` that may be a lie.
    public static func array(element: UInt32, count: UInt64, bytes: [UInt8] = []) -> Value {
      Value(type: 9, bytes: GGUFBuilder.little(element) + GGUFBuilder.little(count) + bytes)
    }

    /// An array of strings.
    public static func strings(_ values: [String]) -> Value {
      array(element: 8, count: UInt64(values.count), bytes: values.flatMap(GGUFBuilder.counted))
    }

    /// An array of i32.
    public static func i32s(_ values: [Int32]) -> Value {
      array(
        element: 5, count: UInt64(values.count), bytes: values.flatMap { GGUFBuilder.little($0) })
    }

    /// An array of f32.
    public static func f32s(_ values: [Float]) -> Value {
      array(
        element: 6, count: UInt64(values.count),
        bytes: values.flatMap { GGUFBuilder.little($0.bitPattern) })
    }
  }

  /// A tensor.
  public struct Tensor {
    /// Its name.
    public var name: String
    /// Sizes in ggml's order: fastest first.
    public var dimensions: [UInt64]
    /// ggml's type number.
    public var type: UInt32
    /// Its data.
    public var bytes: [UInt8]
    /// Where it claims to be; by default where it is.
    public var offset: UInt64?

    /// All values.
    public init(
      _ name: String, _ dimensions: [UInt64], type: UInt32 = 0, bytes: [UInt8],
      offset: UInt64? = nil
    ) {
      self.name = name
      self.dimensions = dimensions
      self.type = type
      self.bytes = bytes
      self.offset = offset
    }
  }

  /// Four bytes.
  public var magic = "GGUF"
  /// 2 or 3.
  public var version: UInt32 = 3
  /// Where tensors start: multiples of it. What the metadata says is up to them.
  public var alignment = 32
  /// In order; keys may appear twice.
  public var metadata: [(key: String, value: Value)] = []
  /// In order.
  public var tensors: [Tensor] = []
  /// How many tensors the header claims; by default as many as there are.
  public var tensorCount: UInt64?
  /// How many keys the header claims.
  public var keyCount: UInt64?

  /// A file without metadata and tensors.
  public init() {}

  /// The file.
  public var bytes: [UInt8] {
    var result = Array(magic.utf8) + Self.little(version)
    result += Self.little(tensorCount ?? UInt64(tensors.count))
    result += Self.little(keyCount ?? UInt64(metadata.count))
    for (key, value) in metadata {
      result += Self.counted(key) + Self.little(value.type) + value.bytes
    }
    var data: [UInt8] = []
    for tensor in tensors {
      result += Self.counted(tensor.name) + Self.little(UInt32(tensor.dimensions.count))
      result += tensor.dimensions.flatMap { Self.little($0) }
      result += Self.little(tensor.type) + Self.little(tensor.offset ?? UInt64(data.count))
      data += tensor.bytes
      pad(&data)
    }
    if !tensors.isEmpty { pad(&result) }
    return result + data
  }

  private func pad(_ bytes: inout [UInt8]) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }

  static func little<I: FixedWidthInteger>(_ value: I) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  static func counted(_ text: String) -> [UInt8] { little(UInt64(text.utf8.count)) + text.utf8 }
}

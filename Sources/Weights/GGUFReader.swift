/// Reads a GGUF header with every length checked against the file.
struct GGUFReader {
  struct TensorEntry {
    var name: String
    var type: WeightType
    var shape: [Int]
    var offset: UInt64
    var bytes: Int
  }

  /// The longest metadata key: the specification's limit.
  static let maximumKey = 65_535
  /// The longest array that is taken, in elements: the largest vocabulary.
  static let maximumArray = 1 << 24

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

  mutating func string(
    _ what: String, limit: Int = .max
  ) throws(WeightError) -> [UInt8] {
    let length: UInt64 = try integer(what)
    guard length <= UInt64(bytes.count - offset) else {
      throw error("\(what): a string of \(length) bytes does not fit the file")
    }
    guard length <= UInt64(limit) else {
      throw error("\(what): a string of \(length) bytes, at most \(limit) are taken")
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
    guard let least = Self.leastBytes(element) else {
      throw error("metadata '\(key)': element type \(element) is unknown")
    }
    let count = try self.count("the length of '\(key)'", elementBytes: least)
    guard count <= Self.maximumArray else {
      throw error("metadata '\(key)': \(count) elements, at most \(Self.maximumArray) are taken")
    }
    var values: [GGUFValue] = []
    values.reserveCapacity(count)
    for _ in 0..<count { values.append(try scalar(element, key)) }
    return .array(values)
  }

  /// How many bytes an element takes at least, or nil for a type that is not known.
  private static func leastBytes(_ type: UInt32) -> Int? {
    switch type {
    case 0, 1, 7: 1
    case 2, 3: 2
    case 4, 5, 6: 4
    case 8, 10, 11, 12: 8
    default: nil
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
    let name = String(
      decoding: try string("a tensor's name", limit: Self.maximumKey), as: UTF8.self)
    let what = "tensor '\(name)'"
    let dimensions: UInt32 = try integer(what)
    guard (1...4).contains(dimensions) else {
      throw error("\(what): expected 1 to 4 dimensions, found \(dimensions)")
    }
    var shape: [Int] = []
    var elements = 1
    for _ in 0..<dimensions {
      let size: UInt64 = try integer(what)
      guard size > 0 else { throw error("\(what): a dimension is 0") }
      guard let size = Int(exactly: size), let product = multiplied(elements, size) else {
        throw error("\(what): the product of its dimensions overflows")
      }
      shape.insert(size, at: 0)
      elements = product
    }
    let code: UInt32 = try integer(what)
    guard let type = Self.type(code) else {
      throw error(
        "\(what): type \(code) is not read; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, "
          + "Q5_K and Q6_K are")
    }
    let columns = shape.last ?? 1
    guard columns % type.blockElements == 0 else {
      throw error("\(what): \(columns) columns are not whole blocks of \(type.label)")
    }
    guard let bytes = multiplied(elements / type.blockElements, type.blockBytes) else {
      throw error("\(what): its size overflows")
    }
    return TensorEntry(
      name: name, type: type, shape: shape, offset: try integer(what), bytes: bytes)
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

import Storage

/// Writes a GGUF file (version 3, little-endian), tensor after tensor, beside its place, and renames
/// it into it.
///
/// Typical flow: ``init(path:metadata:tensors:)``, ``append(_:)`` for the bytes of every tensor in
/// the order given, ``finish()``. A writer that is dropped leaves nothing behind.
public final class GGUFWriter {
  /// A tensor that will be written.
  public struct Description: Sendable {
    /// Its name.
    public var name: String
    /// How its elements are stored: F32, F16 or BF16.
    public var type: WeightType
    /// Its sizes, slowest first.
    public var shape: [Int]

    /// All values.
    public init(name: String, type: WeightType = .f32, shape: [Int]) {
      self.name = name
      self.type = type
      self.shape = shape
    }

    var bytes: Int { shape.reduce(type.blockBytes, *) }
  }

  /// What data starts at a multiple of: the format's default.
  static let alignment = 32

  private let file: AtomicFile
  private let sizes: [Int]
  private var done = 0

  /// Starts a file at `path` with `metadata`, in that order, and the places of `tensors`.
  ///
  /// Numbers are written as f32, integers as u32 where they fit and as i64 elsewhere. Throws
  /// ``WeightError`` where the folder cannot be written, a type is not one of the three, or a key or
  /// a name is used twice.
  public init(
    path: String, metadata: [(key: String, value: GGUFValue)], tensors: [Description]
  ) throws(WeightError) {
    var header = Array("GGUF".utf8)
    header.append(little: UInt32(3))
    header.append(little: UInt64(tensors.count))
    header.append(little: UInt64(metadata.count))
    var names = Set<String>()
    for (key, value) in metadata {
      guard names.insert(key).inserted else {
        throw WeightError(path: path, "metadata key '\(key)' is given twice")
      }
      header.append(counted: Array(key.utf8))
      header.append(value)
    }
    names = []
    var offset = 0
    for tensor in tensors {
      guard names.insert(tensor.name).inserted else {
        throw WeightError(path: path, "tensor '\(tensor.name)': its name is taken")
      }
      guard let code = Self.code(tensor.type) else {
        throw WeightError(
          path: path, "tensor '\(tensor.name)': \(tensor.type.label) is not written")
      }
      header.append(counted: Array(tensor.name.utf8))
      header.append(little: UInt32(tensor.shape.count))
      for size in tensor.shape.reversed() { header.append(little: UInt64(size)) }
      header.append(little: code)
      header.append(little: UInt64(offset))
      offset += Self.padded(tensor.bytes)
    }
    header += [UInt8](repeating: 0, count: Self.padded(header.count) - header.count)
    sizes = tensors.map(\.bytes)
    do {
      file = try AtomicFile(path: path)
      try file.append(header)
    } catch {
      throw WeightError(path: path, error.problem)
    }
  }

  /// Appends the next tensor: all its bytes.
  ///
  /// Throws ``WeightError`` where they are not as many as described or cannot be written.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(WeightError) {
    guard done < sizes.count, bytes.count == sizes[done] else {
      throw WeightError(path: file.path, "tensor \(done): other bytes than described")
    }
    done += 1
    do {
      try file.append(bytes)
      try file.append([UInt8](repeating: 0, count: Self.padded(bytes.count) - bytes.count))
    } catch {
      throw WeightError(path: file.path, error.problem)
    }
  }

  /// Puts the file in its place. Throws ``WeightError`` where tensors are missing.
  public func finish() throws(WeightError) {
    guard done == sizes.count else {
      throw WeightError(path: file.path, "expected \(sizes.count) tensors, were given \(done)")
    }
    do {
      try file.commit()
    } catch {
      throw WeightError(path: file.path, error.problem)
    }
  }

  private static func padded(_ count: Int) -> Int {
    (count + alignment - 1) / alignment * alignment
  }

  /// ggml's type numbers.
  private static func code(_ type: WeightType) -> UInt32? {
    switch type {
    case .f32: 0
    case .f16: 1
    case .bf16: 30
    default: nil
    }
  }
}

extension [UInt8] {
  fileprivate mutating func append(counted text: [UInt8]) {
    append(little: UInt64(text.count))
    self += text
  }

  /// The value's type number and the value.
  fileprivate mutating func append(_ value: GGUFValue) {
    append(little: Self.typeCode(value))
    append(content: value)
  }

  private static func typeCode(_ value: GGUFValue) -> UInt32 {
    switch value {
    case .integer(let number): UInt32(exactly: number) == nil ? 11 : 4
    case .number: 6
    case .bool: 7
    case .string: 8
    case .array: 9
    }
  }

  private mutating func append(content value: GGUFValue) {
    switch value {
    case .integer(let number):
      if let small = UInt32(exactly: number) {
        append(little: small)
      } else {
        append(little: number)
      }
    case .number(let number): append(little: Float(number).bitPattern)
    case .bool(let flag): append(flag ? 1 : 0)
    case .string(let text): append(counted: text)
    case .array(let values):
      // An empty array is one of strings.
      append(little: values.first.map(Self.typeCode) ?? 8)
      append(little: UInt64(values.count))
      for value in values { append(content: value) }
    }
  }
}

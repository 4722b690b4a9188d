public import Operations
public import Storage
public import Weights

/// Where each parameter of a model is in one flat buffer.
public struct DenseLayout: Sendable {
  /// The shape of the model.
  public let architecture: Architecture
  /// Every tensor, in the order of use.
  public let keys: [ParameterKey]
  /// The number of parameters.
  public let count: Int
  private let offsets: [ParameterKey: Int]

  /// The layout of every parameter of `architecture`.
  public init(_ architecture: Architecture) {
    var offsets: [ParameterKey: Int] = [:]
    var offset = 0
    keys = ParameterKey.all(in: architecture)
    for key in keys {
      let shape = key.shape(in: architecture)
      offsets[key] = offset
      offset += shape.rows * shape.columns
    }
    self.architecture = architecture
    self.offsets = offsets
    count = offset
  }

  /// Where `key` starts; nil where the model has no such tensor.
  public func offset(of key: ParameterKey) -> Int? { offsets[key] }
}

/// Numbers in the shape of all parameters: the parameters themselves, a gradient or a moment.
public struct DenseTensors<S: Kernel>: Sendable {
  /// Where each tensor is.
  public let layout: DenseLayout
  /// All elements, shape (1, count).
  public let flat: Matrix<S>
  /// The buffer's owner.
  private let arena: Arena

  /// Zeros in `arena`.
  public init(layout: DenseLayout, arena: Arena, for component: MemoryComponent) {
    self.layout = layout
    self.arena = arena
    flat = arena.matrix(1, layout.count, for: component)
  }

  /// The tensor `key`, (rows, columns); the head of a tied model is its embedding. Nil where the
  /// model has no such tensor.
  public subscript(key: ParameterKey) -> Matrix<S>? {
    let isTied = layout.architecture.tieWordEmbeddings
    let key: ParameterKey = key == .head && isTied ? .embedding : key
    guard let offset = layout.offset(of: key) else { return nil }
    let shape = key.shape(in: layout.architecture)
    return Matrix(flat.pointer + offset, rows: shape.rows, columns: shape.columns)
  }
}

extension DenseTensors where S == Float {
  /// Reads every parameter of `weights`.
  ///
  /// Throws ``WeightError`` where a block is damaged.
  public func load(_ weights: LlamaWeights<Float>) throws(WeightError) {
    for key in layout.keys {
      guard let target = self[key] else { continue }
      if let vector = weights.vector(key) {
        target.copy(from: vector)
      } else if let matrix = weights.matrix(key) {
        try matrix.decode(into: target)
      }
    }
  }
}

extension WeightMatrix {
  /// Decodes the whole matrix, block by block, into `target` of its shape.
  func decode(into target: Matrix<Float>) throws(WeightError) {
    precondition(target.rows == rows && target.columns == columns && target.isContiguous)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(1, scratchBytes), alignment: 64)
    defer { scratch.deallocate() }
    for start in stride(from: 0, to: rows, by: blockRows) {
      let part = start..<min(start + blockRows, rows)
      try decode(rows: part, into: target.rows(part).pointer, scratch: scratch)
    }
  }
}

/// A matrix of parameters that are in memory and may change.
final class ResidentWeight: WeightMatrix, @unchecked Sendable {
  let name: String
  private let values: Matrix<Float>

  init(name: String, values: Matrix<Float>) {
    self.name = name
    self.values = values
  }

  var rows: Int { values.rows }
  var columns: Int { values.columns }
  var blockRows: Int { 1 }
  var scratchBytes: Int { 0 }

  func decode(
    rows range: Range<Int>, into output: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutableRawBufferPointer
  ) throws(WeightError) {
    Matrix(output, rows: range.count, columns: columns).copy(from: values.rows(range))
  }

  func resident(rows range: Range<Int>) -> UnsafePointer<Float>? {
    UnsafePointer(values.rows(range).pointer)
  }
}

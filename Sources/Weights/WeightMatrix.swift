/// A matrix of base weights that is read a few rows at a time: shape (rows, columns), f32.
///
/// A vector (a norm's weight, a bias) is one row. Implementations are safe to call from several
/// threads at once with different buffers.
public protocol WeightMatrix: Sendable {
  /// The tensor's name, in Hugging Face's spelling.
  var name: String { get }
  /// Output features.
  var rows: Int { get }
  /// Input features.
  var columns: Int { get }
  /// How many rows are decoded together: ranges that start and end at multiples of it (or at the
  /// last row) waste nothing.
  var blockRows: Int { get }
  /// How many bytes of scratch ``decode(rows:into:scratch:)`` needs.
  var scratchBytes: Int { get }
  /// Writes rows `range` as f32, row after row, to `output` (range.count · columns elements).
  ///
  /// Throws ``WeightError`` where a block's checksum or payload is wrong, naming tensor and block.
  func decode(
    rows range: Range<Int>, into output: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutableRawBufferPointer) throws(WeightError)
  /// The rows `range` where they are in memory as f32 already, row after row; nil where they must
  /// be decoded.
  func resident(rows range: Range<Int>) -> UnsafePointer<Float>?
  /// Whether its file does not fit in memory.
  var isLarge: Bool { get }
  /// Tells that the matrix is used soon: a file that does not fit in memory is read ahead.
  func readAhead()
  /// Takes the pages of `rows` out of this process' memory, where a mapped file counts as long as its
  /// pages are in use. The system keeps them in its cache while it has room.
  func letGo(rows: Range<Int>)
}

extension WeightMatrix {
  /// It fits.
  public var isLarge: Bool { false }
  /// Does nothing.
  public func readAhead() {}
  /// Does nothing.
  public func letGo(rows: Range<Int>) {}
  /// Nil: the rows must be decoded.
  public func resident(rows range: Range<Int>) -> UnsafePointer<Float>? { nil }
}

/// A matrix of base weights that is held in memory as f32.
public final class DenseWeight: WeightMatrix, @unchecked Sendable {
  /// The tensor's name.
  public let name: String
  /// Output features.
  public let rows: Int
  /// Input features.
  public let columns: Int
  /// The elements, row-major.
  public let elements: [Float]

  /// A matrix of shape (rows, columns) with `elements` in row-major order.
  public init(name: String, rows: Int, columns: Int, elements: [Float]) {
    precondition(elements.count == rows * columns)
    self.name = name
    self.rows = rows
    self.columns = columns
    self.elements = elements
  }

  /// Always 1: any range is as good as another.
  public var blockRows: Int { 1 }
  /// Nothing is decompressed.
  public var scratchBytes: Int { 0 }

  /// Copies the rows.
  public func decode(
    rows range: Range<Int>, into output: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutableRawBufferPointer
  ) throws(WeightError) {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    elements.withUnsafeBufferPointer { source in
      for index in 0..<range.count * columns {
        output[index] = source[range.lowerBound * columns + index]
      }
    }
  }
}

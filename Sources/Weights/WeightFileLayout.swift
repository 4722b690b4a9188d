#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// The fixed parts of a weight file. The specification is `Docs/weight-format.md`.
enum WeightFileLayout {
  static let magic: [UInt8] = [0x49, 0x4d, 0x50, 0x52, 0x49, 0x4e, 0x54, 0x00]  // "IMPRINT\0"
  static let version: UInt32 = 1
  /// Size of the preamble; payloads start after it.
  static let preambleBytes = 64
  /// Where the preamble's own checksum is; it covers what is before.
  static let preambleChecksum = 44
  /// Offset (8), size (4), checksum (4).
  static let blockEntryBytes = 16
  /// The largest header that a reader takes.
  static let maximumHeader = 256 << 20
  /// The most weights that a reader takes in one block: a row may be as long.
  static let maximumBlockWeights = 1 << 24
  /// How many weights a block aims at.
  static let blockWeights = 32_768
}

/// How a block's payload is coded: its first byte.
enum BlockCoding: UInt8 {
  /// The stored elements as they are.
  case stored = 0
  /// LZ4 of the stored elements.
  case lz4 = 1
  /// The exponents' commonest value, LZ4 of the bit planes, and the other bytes as they are.
  case planes = 2
}

/// A tensor as a writer is told of it.
public struct TensorDescription: Codable, Equatable, Sendable {
  /// Name, in Hugging Face's spelling.
  public var name: String
  /// How its elements are stored.
  public var type: WeightType
  /// Output features; 1 for a vector.
  public var rows: Int
  /// Input features.
  public var columns: Int

  /// All values.
  public init(name: String, type: WeightType, rows: Int, columns: Int) {
    self.name = name
    self.type = type
    self.rows = rows
    self.columns = columns
  }

  /// Bytes of a row in the stored type.
  public var rowBytes: Int { columns / type.blockElements * type.blockBytes }

  /// How many rows a block of the file has: about 32 Ki weights, a multiple of 8 where it can be.
  var blockRows: Int {
    let wanted = max(1, WeightFileLayout.blockWeights / max(columns, 1))
    let even = wanted >= 8 ? wanted / 8 * 8 : wanted
    return max(1, min(even, rows))
  }
}

extension WeightType: Codable {
  /// The name in headers and reports, for example `bf16` or `q4_1`.
  public var label: String {
    switch self {
    case .f32: "f32"
    case .f16: "f16"
    case .bf16: "bf16"
    case .q8_0: "q8_0"
    case .q4_0: "q4_0"
    case .q4_1: "q4_1"
    case .q5_0: "q5_0"
    case .q5_1: "q5_1"
    case .q4_K: "q4_K"
    case .q5_K: "q5_K"
    case .q6_K: "q6_K"
    }
  }

  /// Reads a ``label``.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let label = try container.decode(String.self)
    guard let type = Self.allCases.first(where: { $0.label == label }) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "unknown tensor type '\(label)'")
    }
    self = type
  }

  /// Writes the ``label``.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(label)
  }
}

/// The header: JSON at the end of the file.
struct WeightFileHeader: Codable {
  struct Tensor: Codable {
    var name: String
    var type: WeightType
    var rows: Int
    var columns: Int
    var blockRows: Int
    var firstBlock: Int

    enum CodingKeys: String, CodingKey {
      case name, type, rows, columns
      case blockRows = "block_rows"
      case firstBlock = "first_block"
    }
  }

  struct Section: Codable {
    var offset: Int
    var size: Int
    var checksum: UInt32
  }

  struct Tokenizer: Codable {
    var offset: Int
    var size: Int
    var checksum: UInt32
    var rawSize: Int

    enum CodingKeys: String, CodingKey {
      case offset, size, checksum
      case rawSize = "raw_size"
    }
  }

  var architecture: Architecture
  var blockTable: Section
  var tokenizer: Tokenizer?
  var tensors: [Tensor]

  enum CodingKeys: String, CodingKey {
    case architecture
    case blockTable = "block_table"
    case tokenizer, tensors
  }
}

/// `a * b`, `a + b`, or nil where it does not fit.
func multiplied(_ a: Int, _ b: Int) -> Int? {
  let (value, overflow) = a.multipliedReportingOverflow(by: b)
  return overflow ? nil : value
}

func added(_ a: Int, _ b: Int) -> Int? {
  let (value, overflow) = a.addingReportingOverflow(b)
  return overflow ? nil : value
}

extension UnsafeRawBufferPointer {
  /// A little-endian integer at `offset`, which the caller has checked.
  func integer<I: FixedWidthInteger>(at offset: Int, as type: I.Type = I.self) -> I {
    I(littleEndian: loadUnaligned(fromByteOffset: offset, as: I.self))
  }
}

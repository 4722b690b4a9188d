private import CCodec
private import CLZ4
import Storage

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// How much time compression may take.
public enum CompressionLevel: String, CaseIterable, Sendable {
  /// LZ4's fast compressor.
  case fast
  /// LZ4 HC: slower to write, smaller, as fast to read.
  case high
}

/// What a writer has done.
public struct WriteSummary: Sendable {
  /// Bytes of all tensors in their stored types.
  public let rawBytes: Int
  /// Bytes of the file.
  public let fileBytes: Int
}

/// Writes a weight file, a block at a time, beside its place, and renames it into it.
///
/// Typical flow: ``init(path:architecture:tokenizer:tensors:level:)``, ``append(_:)`` for the rows
/// of every tensor in the order given, ``finish()``. A writer that is dropped leaves nothing.
public final class WeightFileWriter {
  private let file: AtomicFile
  private let architecture: Architecture
  private let tokenizer: [UInt8]?
  private let tensors: [TensorDescription]
  private let level: CompressionLevel
  private var table: [UInt8] = []
  private var headers: [WeightFileHeader.Tensor] = []
  private var current = 0
  private var rowsDone = 0
  private var pending: [UInt8] = []
  private var blocks = 0
  private var rawBytes = 0

  /// Starts a file that will be at `path`.
  ///
  /// Throws ``WeightError`` where the folder cannot be written or a description is not possible.
  public init(
    path: String, architecture: Architecture, tokenizer: [UInt8]?, tensors: [TensorDescription],
    level: CompressionLevel = .fast
  ) throws(WeightError) {
    try architecture.validate(path: path)
    var names = Set<String>()
    for tensor in tensors {
      guard tensor.rows > 0, tensor.columns > 0, tensor.columns % tensor.type.blockElements == 0,
        tensor.columns <= WeightFileLayout.maximumBlockWeights,
        multiplied(tensor.rows, tensor.rowBytes) != nil, names.insert(tensor.name).inserted
      else {
        throw WeightError(
          path: path,
          "tensor '\(tensor.name)': shape (\(tensor.rows), \(tensor.columns)) of "
            + "\(tensor.type.label) cannot be stored, or its name appears twice")
      }
    }
    do {
      file = try AtomicFile(path: path)
      try file.append([UInt8](repeating: 0, count: WeightFileLayout.preambleBytes))
    } catch {
      throw WeightError(path: path, error.problem)
    }
    self.architecture = architecture
    self.tokenizer = tokenizer
    self.tensors = tensors
    self.level = level
    skipToTensor()
  }

  /// Appends whole rows of the current tensor in its stored type, little-endian.
  ///
  /// Throws ``WeightError`` where the file cannot be written, or rows are more than described.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(WeightError) {
    guard current < tensors.count else {
      throw WeightError(path: file.path, "more rows than the tensors have")
    }
    let tensor = tensors[current]
    let rowBytes = tensor.rowBytes
    let rows = bytes.count / rowBytes
    guard bytes.count % rowBytes == 0, rows <= tensor.rows - rowsDone else {
      throw WeightError(
        path: file.path, "tensor '\(tensor.name)': expected whole rows, no more than \(tensor.rows)"
      )
    }
    var offset = 0
    let blockBytes = tensor.blockRows * rowBytes
    while offset < bytes.count {
      let take = min(blockBytes - pending.count, bytes.count - offset)
      pending.append(contentsOf: bytes[offset..<offset + take])
      offset += take
      rowsDone += take / rowBytes
      if pending.count == blockBytes || rowsDone == tensor.rows { try flush(tensor) }
    }
    rawBytes += bytes.count
    if rowsDone == tensor.rows {
      current += 1
      skipToTensor()
    }
  }

  private func skipToTensor() {
    rowsDone = 0
    guard current < tensors.count else { return }
    let tensor = tensors[current]
    headers.append(
      .init(
        name: tensor.name, type: tensor.type, rows: tensor.rows, columns: tensor.columns,
        blockRows: tensor.blockRows, firstBlock: blocks))
  }

  /// Compresses and writes the pending block.
  private func flush(_ tensor: TensorDescription) throws(WeightError) {
    let payload = BlockEncoder.encode(pending, type: tensor.type, level: level)
    let checksum = cc_crc32c(0, payload, payload.count)
    table.append(little: UInt64(file.count))
    table.append(little: UInt32(payload.count))
    table.append(little: checksum)
    try write(payload)
    blocks += 1
    pending.removeAll(keepingCapacity: true)
  }

  /// Writes the rest and puts the file in its place.
  ///
  /// Throws ``WeightError`` where rows are missing or the file cannot be written.
  public func finish() throws(WeightError) -> WriteSummary {
    guard current == tensors.count else {
      throw WeightError(
        path: file.path,
        "tensor '\(tensors[current].name)': expected \(tensors[current].rows) rows, found \(rowsDone)"
      )
    }
    let tableSection = WeightFileHeader.Section(
      offset: file.count, size: table.count, checksum: cc_crc32c(0, table, table.count))
    try write(table)
    var tokenizerSection: WeightFileHeader.Tokenizer?
    if let tokenizer {
      let packed = BlockEncoder.lz4(tokenizer, level: .high)
      let stored = packed.count < tokenizer.count ? packed : tokenizer
      tokenizerSection = .init(
        offset: file.count, size: stored.count, checksum: cc_crc32c(0, stored, stored.count),
        rawSize: tokenizer.count)
      try write(stored)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let header: [UInt8]
    do {
      header = [UInt8](
        try encoder.encode(
          WeightFileHeader(
            architecture: architecture, blockTable: tableSection, tokenizer: tokenizerSection,
            tensors: headers)))
    } catch {
      throw WeightError(path: file.path, "the header cannot be written as JSON")
    }
    let headerOffset = file.count
    try write(header)
    var preamble = WeightFileLayout.magic
    preamble.append(little: WeightFileLayout.version)
    preamble.append(little: UInt32(0))
    preamble.append(little: UInt64(file.count))
    preamble.append(little: UInt64(headerOffset))
    preamble.append(little: UInt64(header.count))
    preamble.append(little: cc_crc32c(0, header, header.count))
    preamble.append(little: cc_crc32c(0, preamble, preamble.count))
    let total = file.count
    do {
      try file.write(preamble, at: 0)
      try file.commit()
    } catch {
      throw WeightError(path: file.path, error.problem)
    }
    return WriteSummary(rawBytes: rawBytes, fileBytes: total)
  }

  private func write(_ bytes: [UInt8]) throws(WeightError) {
    do {
      try file.append(bytes)
    } catch {
      throw WeightError(path: file.path, error.problem)
    }
  }
}

/// One block's stored elements to its payload.
enum BlockEncoder {
  static func encode(_ raw: [UInt8], type: WeightType, level: CompressionLevel) -> [UInt8] {
    switch type {
    case .bf16, .f16, .f32:
      let elements = raw.count / type.blockBytes
      var planes = [UInt8](repeating: 0, count: 8 * cc_plane_bytes(elements))
      var rest = [UInt8](repeating: 0, count: elements * (type.blockBytes - 1))
      let mode = cc_split(type.rawValue, raw, elements, &planes, &rest)
      let packed = lz4(planes, level: level)
      // Rows that repeat are the exception: there plain LZ4 is smaller.
      let plain = lz4(raw, level: .fast)
      if packed.count + rest.count + 2 < min(raw.count, plain.count + 1) {
        return [BlockCoding.planes.rawValue, mode] + packed + rest
      }
      if plain.count < raw.count { return [BlockCoding.lz4.rawValue] + plain }
    default:
      // Decoding straight from the map is worth more than a few per cent.
      let packed = lz4(raw, level: level)
      if packed.count * 100 < raw.count * 97 { return [BlockCoding.lz4.rawValue] + packed }
    }
    return [BlockCoding.stored.rawValue] + raw
  }

  static func lz4(_ raw: [UInt8], level: CompressionLevel) -> [UInt8] {
    let bound = Int(LZ4_compressBound(Int32(raw.count)))
    return [UInt8](unsafeUninitializedCapacity: bound) { target, count in
      let size = raw.withUnsafeBytes { source -> Int32 in
        let from = source.baseAddress?.assumingMemoryBound(to: CChar.self)
        let to = UnsafeMutableRawPointer(target.baseAddress)?.assumingMemoryBound(to: CChar.self)
        return switch level {
        case .fast: LZ4_compress_default(from, to, Int32(raw.count), Int32(bound))
        case .high: LZ4_compress_HC(from, to, Int32(raw.count), Int32(bound), 12)
        }
      }
      count = Int(size)
    }
  }
}

extension [UInt8] {
  /// Appends the bytes of `value`, the lowest first.
  mutating func append<I: FixedWidthInteger>(little value: I) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}

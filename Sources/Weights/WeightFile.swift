private import CCodec
private import CLZ4
public import Storage

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// A weight file, mapped read-only: opening it reads the header, not the weights.
///
/// Safe to use from several threads. The format is specified in `Docs/weight-format.md`.
public final class WeightFile: Sendable {
  /// Where the file is.
  public let path: String
  /// The shape of the model.
  public let architecture: Architecture
  /// All tensors in the order of the file.
  public let tensors: [WeightTensor]
  /// A digest of the header and of the checksums of all blocks: the same for files of the same
  /// content.
  public let fingerprint: Digest
  private let byName: [String: Int]
  private let file: MappedFile
  private let tokenizerSection: WeightFileHeader.Tokenizer?
  private let blocks: BlockTable

  /// Opens the file at `path` and checks its header.
  ///
  /// Throws ``WeightError`` naming the field that is wrong: not a weight file, a version that this
  /// reader does not know, a truncated file, a checksum, or a size that does not fit.
  public init(path: String) throws(WeightError) {
    let file = try MappedFile.open(path)
    let preamble = try Preamble(file)
    let header = try preamble.header(file)
    let blocks = try BlockTable(header.blockTable, file: file)
    var tensors: [WeightTensor] = []
    var byName: [String: Int] = [:]
    var nextBlock = 0
    for tensor in header.tensors {
      let checked = try WeightTensor(tensor, blocks: blocks, expectedFirst: nextBlock)
      nextBlock += checked.blockCount
      guard byName.updateValue(tensors.count, forKey: tensor.name) == nil else {
        throw WeightError(path: path, "header: tensor '\(tensor.name)' appears twice")
      }
      tensors.append(checked)
    }
    guard nextBlock == blocks.count else {
      throw WeightError(
        path: path, "header: expected \(nextBlock) blocks in block_table, found \(blocks.count)")
    }
    guard blocks.isIntact else { throw Self.damage(of: blocks, tensors) }
    if let tokenizer = header.tokenizer {
      guard tokenizer.offset >= WeightFileLayout.preambleBytes, tokenizer.size >= 0,
        tokenizer.rawSize >= tokenizer.size,
        tokenizer.rawSize <= WeightFileLayout.maximumHeader,
        // One byte of LZ4 makes at most 255.
        tokenizer.rawSize / 255 <= tokenizer.size,
        let end = added(tokenizer.offset, tokenizer.size), end <= preamble.headerOffset
      else {
        throw WeightError(
          path: path,
          "header: tokenizer: offset \(tokenizer.offset), size \(tokenizer.size) and raw_size "
            + "\(tokenizer.rawSize) cannot be")
      }
    }
    self.path = path
    self.file = file
    self.blocks = blocks
    self.tensors = tensors
    self.byName = byName
    architecture = header.architecture
    tokenizerSection = header.tokenizer
    var digest = Digest()
    digest.update(UnsafeRawBufferPointer(rebasing: file.bytes[preamble.headerOffset...]))
    digest.update(blocks.bytes)
    fingerprint = digest
  }

  /// The names of all tensors in the order of the file.
  public var tensorNames: [String] { tensors.map(\.name) }

  /// Whether there is a tensor of this name.
  public func has(_ name: String) -> Bool { byName[name] != nil }

  /// The tensor of this name. Throws ``WeightError`` where there is none.
  public func tensor(_ name: String) throws(WeightError) -> WeightTensor {
    guard let index = byName[name] else {
      throw WeightError(path: path, "tensor '\(name)' is missing")
    }
    return tensors[index]
  }

  /// The tokenizer in its serialised form, or nil where the file has none.
  ///
  /// Throws ``WeightError`` where the section is damaged.
  public func tokenizerData() throws(WeightError) -> [UInt8]? {
    guard let section = tokenizerSection else { return nil }
    let stored = UnsafeRawBufferPointer(
      rebasing: file.bytes[section.offset..<section.offset + section.size])
    guard cc_crc32c(0, stored.baseAddress, stored.count) == section.checksum else {
      throw WeightError(path: path, "tokenizer: checksum differs at offset \(section.offset)")
    }
    if section.size == section.rawSize { return Array(stored) }
    var size: Int32 = -1
    let raw = [UInt8](unsafeUninitializedCapacity: section.rawSize) { buffer, count in
      size = LZ4_decompress_safe(
        stored.baseAddress?.assumingMemoryBound(to: CChar.self),
        UnsafeMutableRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self),
        Int32(stored.count), Int32(section.rawSize))
      count = max(0, Int(size))
    }
    guard Int(size) == section.rawSize else {
      throw WeightError(path: path, "tokenizer: payload is damaged")
    }
    return raw
  }

  /// What is wrong with a block table whose checksum differs: the first entry that is damaged.
  private static func damage(of blocks: BlockTable, _ tensors: [WeightTensor]) -> WeightError {
    let path = blocks.file.path
    var next = WeightFileLayout.preambleBytes
    for tensor in tensors {
      for block in 0..<tensor.blockCount {
        let entry = blocks.entry(tensor.firstBlock + block)
        do throws(WeightError) {
          try tensor.check(block: block)
        } catch {
          next = -1
        }
        if entry.offset != next {
          return WeightError(
            path: path,
            "tensor '\(tensor.name)' block \(block): its entry in block_table is damaged")
        }
        next += entry.size
      }
    }
    return WeightError(path: path, "block_table: checksum differs")
  }

  /// Checks every byte: all checksums, that the sections follow one another without a gap, and that
  /// every payload can be decompressed.
  ///
  /// `progress` is called with the bytes done and the bytes of the file. Throws ``WeightError``
  /// naming the tensor and the block, or the section, that is wrong.
  public func verify(progress: (_ done: Int, _ total: Int) -> Void = { _, _ in })
    throws(WeightError)
  {
    var next = WeightFileLayout.preambleBytes
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: tensors.map(\.scratchBytes).max() ?? 0, alignment: 64)
    defer { scratch.deallocate() }
    for tensor in tensors {
      for block in 0..<tensor.blockCount {
        let entry = blocks.entry(tensor.firstBlock + block)
        guard entry.offset == next else {
          throw WeightError(
            path: path,
            "tensor '\(tensor.name)' block \(block): expected offset \(next), found \(entry.offset)"
          )
        }
        if Interruption.isRequested { throw WeightError(path: path, Interruption.problem) }
        try tensor.verify(block: block, scratch: scratch)
        next += entry.size
        progress(next, file.bytes.count)
      }
    }
    guard next == blocks.offset else {
      throw WeightError(path: path, "block_table: expected offset \(next), found \(blocks.offset)")
    }
    next += blocks.count * WeightFileLayout.blockEntryBytes
    if let section = tokenizerSection {
      guard section.offset == next else {
        throw WeightError(path: path, "tokenizer: expected offset \(next), found \(section.offset)")
      }
      _ = try tokenizerData()
      next += section.size
    }
    guard next == (try Preamble(file)).headerOffset else {
      throw WeightError(path: path, "header: there are bytes before it that belong to nothing")
    }
    progress(file.bytes.count, file.bytes.count)
  }

  /// Tells the kernel that the weights are read from front to back.
  public func adviseSequential() { file.advise(.sequential, 0..<file.bytes.count) }
}

extension MappedFile {
  /// Maps a file of weights; its errors become ``WeightError``.
  static func open(_ path: String) throws(WeightError) -> MappedFile {
    do {
      return try MappedFile(path: path)
    } catch {
      throw WeightError(path: path, error.problem)
    }
  }
}

/// The first 64 bytes: magic, version, and where the header is.
private struct Preamble {
  let headerOffset: Int
  let headerSize: Int
  let headerChecksum: UInt32

  init(_ file: MappedFile) throws(WeightError) {
    let bytes = file.bytes
    let path = file.path
    guard bytes.count >= 8, bytes.prefix(8).elementsEqual(WeightFileLayout.magic) else {
      throw WeightError(path: path, "not an .imprint file: wrong magic")
    }
    guard bytes.count >= WeightFileLayout.preambleBytes else {
      throw WeightError(path: path, "truncated: \(bytes.count) bytes, the preamble has 64")
    }
    let version: UInt32 = bytes.integer(at: 8)
    guard version == WeightFileLayout.version else {
      throw WeightError(
        path: path, "version \(version) is unknown; this reader knows \(WeightFileLayout.version)")
    }
    let checksum: UInt32 = bytes.integer(at: WeightFileLayout.preambleChecksum)
    guard cc_crc32c(0, bytes.baseAddress, WeightFileLayout.preambleChecksum) == checksum else {
      throw WeightError(path: path, "preamble: checksum differs")
    }
    guard bytes[12..<16].allSatisfy({ $0 == 0 }), bytes[48..<64].allSatisfy({ $0 == 0 }) else {
      throw WeightError(path: path, "preamble: reserved bytes are not zero")
    }
    let length: UInt64 = bytes.integer(at: 16)
    guard length == UInt64(bytes.count) else {
      throw WeightError(
        path: path, "truncated or extended: expected \(length) bytes, found \(bytes.count)")
    }
    let offset: UInt64 = bytes.integer(at: 24)
    let size: UInt64 = bytes.integer(at: 32)
    guard let start = Int(exactly: offset), let count = Int(exactly: size),
      start >= WeightFileLayout.preambleBytes, count <= WeightFileLayout.maximumHeader,
      added(start, count) == bytes.count
    else { throw WeightError(path: path, "preamble: header offset and size do not fit the file") }
    headerOffset = start
    headerSize = count
    headerChecksum = bytes.integer(at: 40)
  }

  func header(_ file: MappedFile) throws(WeightError) -> WeightFileHeader {
    let bytes = UnsafeRawBufferPointer(
      rebasing: file.bytes[headerOffset..<headerOffset + headerSize])
    guard cc_crc32c(0, bytes.baseAddress, bytes.count) == headerChecksum else {
      throw WeightError(path: file.path, "header: checksum differs")
    }
    do {
      let header = try JSONDecoder().decode(WeightFileHeader.self, from: Data(bytes))
      try header.architecture.validate(path: file.path)
      return header
    } catch let error as WeightError {
      throw error
    } catch {
      throw WeightError(path: file.path, "header: \(jsonProblem(error))")
    }
  }
}

/// Where each block is: fixed-width entries in the map, read when they are needed.
final class BlockTable: Sendable {
  let file: MappedFile
  let offset: Int
  let count: Int
  /// Whether the table's checksum is right.
  let isIntact: Bool
  /// Whether the file is too large to stay in memory beside the rest.
  let streams: Bool

  init(_ section: WeightFileHeader.Section, file: MappedFile) throws(WeightError) {
    let size = section.size
    guard section.offset >= WeightFileLayout.preambleBytes, size >= 0,
      size % WeightFileLayout.blockEntryBytes == 0, let end = added(section.offset, size),
      end <= file.bytes.count
    else { throw WeightError(path: file.path, "header: block_table lies outside the file") }
    let start = file.bytes.baseAddress.map { $0 + section.offset }
    isIntact = cc_crc32c(0, start, size) == section.checksum
    self.file = file
    streams = file.bytes.count / 3 > MemoryUsage.limit / 4
    offset = section.offset
    count = size / WeightFileLayout.blockEntryBytes
  }

  /// The whole table.
  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      rebasing: file.bytes[offset..<offset + count * WeightFileLayout.blockEntryBytes])
  }

  /// Offset, size and checksum of block `index`; not yet checked against the file.
  func entry(_ index: Int) -> (offset: Int, size: Int, checksum: UInt32) {
    let at = offset + index * WeightFileLayout.blockEntryBytes
    let start: UInt64 = file.bytes.integer(at: at)
    let size: UInt32 = file.bytes.integer(at: at + 8)
    return (Int(truncatingIfNeeded: start), Int(size), file.bytes.integer(at: at + 12))
  }
}

/// What is wrong with a JSON text, in one line.
func jsonProblem(_ error: any Error) -> String {
  func path(_ context: DecodingError.Context) -> String {
    let keys = context.codingPath.map(\.stringValue).joined(separator: ".")
    return keys.isEmpty ? "" : "field '\(keys)': "
  }
  return switch error as? DecodingError {
  case .keyNotFound(let key, let context):
    "\(path(context))field '\(key.stringValue)' is missing"
  case .typeMismatch(let type, let context): "\(path(context))expected \(type)"
  case .valueNotFound(let type, let context): "\(path(context))expected \(type), found null"
  // All that the parser says of a bad text or of a number that fits no integer.
  case .dataCorrupted(let context) where context.codingPath.isEmpty:
    "not valid JSON, or a number in it is absurd"
  case .dataCorrupted(let context): "\(path(context))\(context.debugDescription)"
  default: "not valid JSON"
  }
}

private import CCodec
private import CLZ4
import Storage

/// A tensor of a weight file.
public final class WeightTensor: WeightMatrix, @unchecked Sendable {
  /// Its description.
  public let description: TensorDescription
  /// How many rows a block has; the last may have fewer.
  public let blockRows: Int
  /// How many blocks there are.
  public let blockCount: Int
  let firstBlock: Int
  let blocks: BlockTable
  /// One flag a block: its checksum was found right.
  private let checked: UnsafeMutablePointer<UInt8>

  init(
    _ header: WeightFileHeader.Tensor, blocks: BlockTable, expectedFirst: Int
  ) throws(WeightError) {
    let path = blocks.file.path
    func refuse(_ problem: String) -> WeightError {
      WeightError(path: path, "header: tensor '\(header.name)': \(problem)")
    }
    guard header.rows > 0, header.columns > 0, header.blockRows > 0 else {
      throw refuse("rows, columns and block_rows must be positive")
    }
    guard header.blockRows <= header.rows else {
      throw refuse("block_rows \(header.blockRows): expected at most \(header.rows), its rows")
    }
    guard header.columns % header.type.blockElements == 0 else {
      throw refuse("\(header.columns) columns are not whole blocks of \(header.type.label)")
    }
    // One byte of LZ4 makes at most 255.
    guard let elements = multiplied(header.rows, header.columns),
      let bytes = multiplied(elements / header.type.blockElements, header.type.blockBytes),
      bytes / 255 <= blocks.offset
    else {
      throw refuse(
        "\(header.rows) × \(header.columns) of \(header.type.label) cannot be in this file of "
          + "\(blocks.file.bytes.count) bytes")
    }
    let inBlock = header.blockRows * header.columns
    guard inBlock <= WeightFileLayout.maximumBlockWeights else {
      throw refuse(
        "block_rows \(header.blockRows): expected blocks of at most "
          + "\(WeightFileLayout.maximumBlockWeights) weights, found \(inBlock)")
    }
    let count = (header.rows - 1) / header.blockRows + 1
    guard header.firstBlock == expectedFirst, count <= blocks.count - expectedFirst else {
      throw refuse("its blocks do not fit block_table")
    }
    description = TensorDescription(
      name: header.name, type: header.type, rows: header.rows, columns: header.columns)
    blockRows = header.blockRows
    blockCount = count
    firstBlock = header.firstBlock
    self.blocks = blocks
    checked = .allocate(capacity: count)
    checked.initialize(repeating: 0, count: count)
  }

  deinit { checked.deallocate() }

  /// The name.
  public var name: String { description.name }
  /// Output features.
  public var rows: Int { description.rows }
  /// Input features.
  public var columns: Int { description.columns }
  /// How the elements are stored.
  public var type: WeightType { description.type }

  private var blockBytes: Int { blockRows * description.rowBytes }

  /// Room for a block's planes or bytes.
  public var scratchBytes: Int {
    type.isFloatingPoint
      ? max(blockBytes, 8 * cc_plane_bytes(blockRows * columns)) : blockBytes
  }

  /// The bytes that the tensor's blocks take in the file.
  public var storedBytes: Int {
    (0..<blockCount).reduce(0) { $0 + blocks.entry(firstBlock + $1).size }
  }

  /// Writes rows `range` as f32.
  public func decode(
    rows range: Range<Int>, into output: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutableRawBufferPointer
  ) throws(WeightError) {
    try each(range, scratch) { (block, part, place) throws(WeightError) in
      try decode(
        block: block, part, into: output + place * columns, scratch: scratch)
    }
  }

  /// Writes rows `range` in the stored type, bit for bit as they were before compression.
  ///
  /// Needs room for range.count · `description.rowBytes` bytes and scratch as
  /// ``decode(rows:into:scratch:)`` does, and throws as it does.
  public func stored(
    rows range: Range<Int>, into output: UnsafeMutableRawPointer,
    scratch: UnsafeMutableRawBufferPointer
  ) throws(WeightError) {
    let rowBytes = description.rowBytes
    try each(range, scratch) { (block, part, place) throws(WeightError) in
      let payload = try check(block: block)
      let count = rowCount(of: block)
      let target = output + place * rowBytes
      let size = count * rowBytes
      let skip = part.lowerBound * rowBytes
      switch try coding(payload, block) {
      case .stored:
        guard payload.count == 1 + size else { throw damaged(block, "its size is wrong") }
        target.copyMemory(
          from: address(payload) + 1 + skip, byteCount: part.count * rowBytes)
      case .lz4:
        try decompress(payload.dropping(1), into: scratch, size: size, block)
        target.copyMemory(from: address(scratch) + skip, byteCount: part.count * rowBytes)
      case .planes:
        let parts = try planes(payload, elements: count * columns, scratch: scratch, block)
        cc_join(
          cc_best_vectors(), type.rawValue, parts.mode, parts.planes, parts.rest, count * columns,
          part.lowerBound * columns, part.count * columns, target)
      }
    }
  }

  /// Calls `body` with each block that `range` touches, the rows inside the block and how many
  /// rows came before.
  private func each(
    _ range: Range<Int>, _ scratch: UnsafeMutableRawBufferPointer,
    _ body: (Int, Range<Int>, Int) throws(WeightError) -> Void
  ) throws(WeightError) {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    precondition(scratch.count >= scratchBytes, "the scratch is too small")
    var row = range.lowerBound
    while row < range.upperBound {
      let block = row / blockRows
      let start = block * blockRows
      let end = min(start + blockRows, range.upperBound)
      try body(block, row - start..<end - start, row - range.lowerBound)
      row = end
    }
  }

  private func rowCount(of block: Int) -> Int {
    min(blockRows, rows - block * blockRows)
  }

  private func decode(
    block: Int, _ part: Range<Int>, into output: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutableRawBufferPointer
  ) throws(WeightError) {
    let payload = try check(block: block)
    let count = rowCount(of: block)
    let elements = count * columns
    let size = count * description.rowBytes
    let skip = part.lowerBound * description.rowBytes
    switch try coding(payload, block) {
    case .stored:
      guard payload.count == 1 + size else { throw damaged(block, "its size is wrong") }
      cc_to_f32(type.rawValue, address(payload) + 1 + skip, output, part.count * columns)
    case .lz4:
      try decompress(payload.dropping(1), into: scratch, size: size, block)
      cc_to_f32(type.rawValue, address(scratch) + skip, output, part.count * columns)
    case .planes:
      let parts = try planes(payload, elements: elements, scratch: scratch, block)
      cc_join_f32(
        cc_best_vectors(), type.rawValue, parts.mode, parts.planes, parts.rest, elements,
        part.lowerBound * columns, part.count * columns, output)
    }
  }

  /// Checks a block again: its checksum, and that its payload is what its coding asks for.
  func verify(block: Int, scratch: UnsafeMutableRawBufferPointer) throws(WeightError) {
    let payload = try check(block: block, always: true)
    let size = rowCount(of: block) * description.rowBytes
    switch try coding(payload, block) {
    case .stored: guard payload.count == 1 + size else { throw damaged(block, "its size is wrong") }
    case .lz4: try decompress(payload.dropping(1), into: scratch, size: size, block)
    case .planes:
      _ = try planes(
        payload, elements: rowCount(of: block) * columns, scratch: scratch, block)
    }
  }

  /// The payload of a block, after its place and, the first time or `always`, its checksum were
  /// found right.
  @discardableResult
  func check(block: Int, always: Bool = false) throws(WeightError) -> UnsafeRawBufferPointer {
    let entry = blocks.entry(firstBlock + block)
    let bytes = blocks.file.bytes
    // Coding never makes a block longer than its elements and the coding's own byte.
    guard entry.offset >= WeightFileLayout.preambleBytes, entry.size >= 1,
      entry.size <= 1 + rowCount(of: block) * description.rowBytes,
      let end = added(entry.offset, entry.size), end <= blocks.offset
    else { throw damaged(block, "its offset or its size \(entry.size) cannot be") }
    let payload = UnsafeRawBufferPointer(rebasing: bytes[entry.offset..<end])
    if always || cc_flag(checked + block) == 0 {
      guard cc_crc32c(0, payload.baseAddress, payload.count) == entry.checksum else {
        throw damaged(block, "checksum differs")
      }
      cc_set_flag(checked + block)
    }
    return payload
  }

  private func coding(
    _ payload: UnsafeRawBufferPointer, _ block: Int
  ) throws(WeightError) -> BlockCoding {
    guard let coding = BlockCoding(rawValue: payload[0]) else {
      throw damaged(block, "coding \(payload[0]) is unknown")
    }
    return coding
  }

  private func planes(
    _ payload: UnsafeRawBufferPointer, elements: Int, scratch: UnsafeMutableRawBufferPointer,
    _ block: Int
  ) throws(WeightError) -> (
    mode: UInt8, planes: UnsafePointer<UInt8>, rest: UnsafePointer<UInt8>
  ) {
    guard type.isFloatingPoint else {
      throw damaged(block, "its coding is not for \(type.label)")
    }
    let restBytes = elements * (type.blockBytes - 1)
    guard payload.count > 2 + restBytes else { throw damaged(block, "its size is wrong") }
    let packed = UnsafeRawBufferPointer(rebasing: payload[2..<payload.count - restBytes])
    try decompress(packed, into: scratch, size: 8 * cc_plane_bytes(elements), block)
    return (
      payload[1], UnsafePointer(address(scratch).assumingMemoryBound(to: UInt8.self)),
      (address(payload) + payload.count - restBytes).assumingMemoryBound(to: UInt8.self)
    )
  }

  private func decompress(
    _ packed: UnsafeRawBufferPointer, into scratch: UnsafeMutableRawBufferPointer, size: Int,
    _ block: Int
  ) throws(WeightError) {
    precondition(scratch.count >= size)
    let written = LZ4_decompress_safe(
      packed.baseAddress?.assumingMemoryBound(to: CChar.self),
      scratch.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(packed.count), Int32(size))
    guard Int(written) == size else { throw damaged(block, "payload cannot be decompressed") }
  }

  private func damaged(_ block: Int, _ problem: String) -> WeightError {
    let offset = blocks.entry(firstBlock + block).offset
    return WeightError(
      path: blocks.file.path,
      "tensor '\(name)' block \(block) at offset \(offset): \(problem)")
  }

  private func address(_ buffer: UnsafeRawBufferPointer) -> UnsafeRawPointer {
    buffer.baseAddress.unsafelyUnwrapped
  }

  private func address(_ buffer: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawPointer {
    buffer.baseAddress.unsafelyUnwrapped
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func dropping(_ count: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[count...])
  }
}

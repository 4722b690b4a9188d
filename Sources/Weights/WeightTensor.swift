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
  private let blocks: BlockTable
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
    guard header.columns % header.type.blockElements == 0 else {
      throw refuse("\(header.columns) columns are not whole blocks of \(header.type.label)")
    }
    guard let elements = multiplied(header.rows, header.columns), multiplied(elements, 4) != nil,
      let blockElements = multiplied(min(header.blockRows, header.rows), header.columns),
      blockElements <= 1 << 28
    else { throw refuse("its size is absurd") }
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

  private var blockBytes: Int { min(blockRows, rows) * description.rowBytes }
  private var blockElements: Int { min(blockRows, rows) * columns }

  /// Room for a block's planes or bytes, and for one whole decoded block.
  public var scratchBytes: Int {
    max(blockBytes, 8 * cc_plane_bytes(blockElements)) + 64 + 4 * blockElements
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
    try each(range) { (block, part, place) throws(WeightError) in
      try decode(
        block: block, part, into: output + place * columns, scratch: scratch)
    }
  }

  /// Writes rows `range` in the stored type, as they were before compression.
  public func stored(
    rows range: Range<Int>, into output: UnsafeMutableRawPointer,
    scratch: UnsafeMutableRawBufferPointer
  ) throws(WeightError) {
    let rowBytes = description.rowBytes
    try each(range) { (block, part, place) throws(WeightError) in
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
        let whole = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
        defer { whole.deallocate() }
        cc_join(
          type.rawValue, parts.mode, parts.planes, parts.rest, count * columns, whole)
        target.copyMemory(from: whole + skip, byteCount: part.count * rowBytes)
      }
    }
  }

  /// Calls `body` with each block that `range` touches, the rows inside the block and how many
  /// rows came before.
  private func each(
    _ range: Range<Int>, _ body: (Int, Range<Int>, Int) throws(WeightError) -> Void
  ) throws(WeightError) {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
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
    precondition(scratch.count >= scratchBytes)
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
      let first = part.lowerBound * columns
      if first % 64 == 0 {
        cc_join_f32(
          type.rawValue, parts.mode, parts.planes, parts.rest, elements, first,
          part.count * columns, output)
        return
      }
      // The part starts inside a run of 64: decode the block and copy.
      let whole = (address(scratch) + 8 * cc_plane_bytes(blockElements) + 64)
        .assumingMemoryBound(to: Float.self)
      cc_join_f32(
        type.rawValue, parts.mode, parts.planes, parts.rest, elements, 0,
        part.upperBound * columns, whole)
      output.update(from: whole + first, count: part.count * columns)
    }
  }

  /// The payload of a block, after its place and, the first time or `always`, its checksum were
  /// found right.
  @discardableResult
  func check(block: Int, always: Bool = false) throws(WeightError) -> UnsafeRawBufferPointer {
    let entry = blocks.entry(firstBlock + block)
    let bytes = blocks.file.bytes
    guard entry.offset >= WeightFileLayout.preambleBytes, entry.size >= 1,
      let end = added(entry.offset, entry.size), end <= blocks.offset
    else { throw damaged(block, "it lies outside the file") }
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
    guard type == .bf16 || type == .f16 || type == .f32 else {
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

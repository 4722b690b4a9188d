import Storage

extension WeightTensor {
  /// Where the blocks from `first` to `last` are, as the table has them: they may lie, which harms
  /// nobody.
  private func bytes(_ first: Int, _ last: Int) -> Range<Int> {
    let (first, last) = (blocks.entry(firstBlock + first), blocks.entry(firstBlock + last))
    return first.offset..<max(first.offset, added(last.offset, last.size) ?? first.offset)
  }

  /// Whether the file is more than three quarters of the memory that this process may use.
  public var isLarge: Bool { blocks.streams }

  /// Reads the tensor ahead where the file is large.
  public func readAhead() {
    if isLarge { blocks.file.advise(.willNeed, bytes(0, blockCount - 1)) }
  }

  /// Lets the pages of the blocks go that hold `rows`.
  public func letGo(rows: Range<Int>) {
    if rows.isEmpty { return }
    let range = bytes(rows.lowerBound / blockRows, (rows.upperBound - 1) / blockRows)
    // A fault maps what lies around it, too: up to 64 KiB, of which a part is in front.
    blocks.file.advise(.dontNeed, range.lowerBound / 65_536 * 65_536..<range.upperBound)
  }
}

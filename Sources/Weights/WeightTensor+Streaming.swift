import Storage

extension WeightTensor {
  /// From its first block to its last, as the table has them: they may lie, which harms nobody.
  private var range: Range<Int> {
    let (first, last) = (blocks.entry(firstBlock), blocks.entry(firstBlock + blockCount - 1))
    return first.offset..<max(first.offset, added(last.offset, last.size) ?? first.offset)
  }

  /// Reads the tensor ahead, or lets its pages go, where the file is more than three quarters of the
  /// memory that this process may use.
  public func expect(_ soon: Bool) {
    if blocks.streams { blocks.file.advise(soon ? .willNeed : .dontNeed, range) }
  }
}

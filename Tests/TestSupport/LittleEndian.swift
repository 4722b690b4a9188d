extension Array<UInt8> {
  /// Appends the bytes of `value`, the lowest first.
  public mutating func append<I: FixedWidthInteger>(littleEndian value: I) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}

/// The bytes of a protocol-buffer message, field by field.
///
/// Source: Protocol Buffers, "Encoding" (wire types 0, 1, 2 and 5).
struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  /// Wire type 0.
  mutating func append(_ field: Int, varint value: UInt64) {
    key(field, wireType: 0)
    self.varint(value)
  }

  /// Wire type 1.
  mutating func append(_ field: Int, double value: Double) {
    key(field, wireType: 1)
    bytes += littleEndian(value.bitPattern)
  }

  /// Wire type 5.
  mutating func append(_ field: Int, float value: Float) {
    key(field, wireType: 5)
    bytes += littleEndian(value.bitPattern)
  }

  /// Wire type 2.
  mutating func append(_ field: Int, string value: String) {
    append(field, bytes: Array(value.utf8))
  }

  /// Wire type 2.
  mutating func append(_ field: Int, message: ProtobufMessage) {
    append(field, bytes: message.bytes)
  }

  private mutating func append(_ field: Int, bytes value: [UInt8]) {
    key(field, wireType: 2)
    varint(UInt64(value.count))
    bytes += value
  }

  private mutating func key(_ field: Int, wireType: UInt64) {
    varint(UInt64(field) << 3 | wireType)
  }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

/// The bytes of `value`, lowest first.
func littleEndian<I: FixedWidthInteger>(_ value: I) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

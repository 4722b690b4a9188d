import CCodec

/// The framing of TFRecord files: for each record its length (u64), a checksum of the length
/// (u32), the record, and a checksum of the record (u32); all little-endian.
///
/// The checksum is CRC-32C, rotated right by 15 bits plus 0xa282ead8. Source: TensorFlow,
/// `tensorflow/core/lib/io/record_writer.h` and `hash/crc32c.h`.
enum RecordFrame {
  /// Why bytes are no whole records.
  enum Damage: Error, Equatable {
    /// The last record, at this offset, is not all there.
    case torn(at: Int)
    /// A checksum of the record at this offset differs.
    case checksum(at: Int)
  }

  /// `record` in its frame.
  static func frame(_ record: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(record.count))
    return length + littleEndian(checksum(length)) + record + littleEndian(checksum(record))
  }

  /// The records of a file's `bytes`.
  static func records(_ bytes: [UInt8]) throws(Damage) -> [[UInt8]] {
    var records: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
      guard bytes.count - start >= 12 else { throw .torn(at: start) }
      let header = Array(bytes[start..<start + 8])
      guard number(bytes[start + 8..<start + 12]) == UInt64(checksum(header)) else {
        throw .checksum(at: start)
      }
      let length = number(header[...])
      guard length <= UInt64(bytes.count - start - 12),
        bytes.count - start - 12 - Int(length) >= 4
      else { throw .torn(at: start) }
      let end = start + 12 + Int(length)
      let record = Array(bytes[start + 12..<end])
      guard number(bytes[end..<end + 4]) == UInt64(checksum(record)) else {
        throw .checksum(at: start)
      }
      records.append(record)
      start = end + 4
    }
    return records
  }

  /// The masked CRC-32C of `bytes`.
  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    let sum = bytes.withUnsafeBytes { cc_crc32c(0, $0.baseAddress, $0.count) }
    return (sum >> 15 | sum << 17) &+ 0xa282_ead8
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

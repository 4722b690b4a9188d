import CCodec
import Weights

/// Rows of plain elements as they go into a weight file.
enum FloatStream {
  /// f32 that is exactly bf16 is stored as bf16.
  static func storedType(_ type: WeightType, _ bytes: UnsafeRawBufferPointer) -> WeightType {
    guard type == .f32, let base = bytes.baseAddress else { return type }
    return cc_is_bf16(base, bytes.count / 4) != 0 ? .bf16 : .f32
  }

  /// Gives `bytes`, elements of `type`, in pieces of about a mebibyte of whole rows, as `stored`.
  static func rows(
    _ bytes: UnsafeRawBufferPointer, type: WeightType, stored: WeightType, rowBytes: Int,
    _ body: (UnsafeRawBufferPointer) throws(WeightError) -> Void
  ) throws(WeightError) {
    let rows = max(1, (1 << 20) / max(rowBytes, 1)) * rowBytes
    var start = 0
    while start < bytes.count {
      let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + rows, bytes.count)])
      if type == stored {
        try body(piece)
      } else {
        let half = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count / 2, alignment: 64)
        defer { half.deallocate() }
        cc_truncate_bf16(piece.baseAddress, half.baseAddress, piece.count / 4)
        try body(UnsafeRawBufferPointer(half))
      }
      start += rows
    }
  }
}

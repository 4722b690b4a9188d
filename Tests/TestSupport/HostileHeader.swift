import CCodec
import Foundation

/// Changes a weight file's header and makes its checksums right again.
public enum HostileHeader {
  /// The file with the first `find` of its header replaced.
  public static func replacing(
    _ find: String, with replacement: String, in file: [UInt8]
  ) throws -> [UInt8] {
    func number(_ offset: Int) -> Int {
      (0..<8).reduce(0) { $0 | Int(file[offset + $1]) << (8 * $1) }
    }
    let start = number(24)
    let header = String(decoding: file[start...], as: UTF8.self)
    guard let range = header.range(of: find) else {
      throw CocoaError(.featureUnsupported, userInfo: [NSLocalizedDescriptionKey: find])
    }
    let changed = Array(header.replacingCharacters(in: range, with: replacement).utf8)
    var result = Array(file[..<start]) + changed
    func put(_ value: Int, _ bytes: Int, at offset: Int) {
      for index in 0..<bytes {
        result[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
      }
    }
    put(result.count, 8, at: 16)
    put(changed.count, 8, at: 32)
    put(Int(cc_crc32c(0, changed, changed.count)), 4, at: 40)
    put(Int(cc_crc32c(0, result, 44)), 4, at: 44)
    return result
  }
}

import CCodec
import CLZ4
import Weights

extension CodecSuite {
  /// Raw gigabytes a second of LZ4 alone in blocks of bit planes: the part of decoding that is not
  /// ours. `raw` holds elements of `type`, cut as the weight file cuts them.
  func decompressionRate(_ raw: [UInt8], _ type: WeightType, level: CompressionLevel) -> Double {
    let elements = 32_768
    let size = type.blockBytes
    let planeBytes = 8 * cc_plane_bytes(elements)
    let packed = stride(from: 0, to: raw.count - elements * size + 1, by: elements * size).map {
      start -> [CChar] in
      let block = Array(raw[start..<start + elements * size])
      var planes = [UInt8](repeating: 0, count: planeBytes)
      var rest = [UInt8](repeating: 0, count: elements * (size - 1))
      _ = cc_split(type.rawValue, block, elements, &planes, &rest)
      return compressed(planes, level: level)
    }
    guard !packed.isEmpty else { return .nan }
    var target = [CChar](repeating: 0, count: planeBytes)
    let seconds = best {
      for block in packed {
        _ = LZ4_decompress_safe(block, &target, Int32(block.count), Int32(planeBytes))
      }
    }
    return Double(packed.count * elements * size) / seconds / 1e9
  }

  private func compressed(_ planes: [UInt8], level: CompressionLevel) -> [CChar] {
    let source = planes.map { CChar(bitPattern: $0) }
    let bound = LZ4_compressBound(Int32(source.count))
    var target = [CChar](repeating: 0, count: Int(bound))
    let count =
      switch level {
      case .fast: LZ4_compress_default(source, &target, Int32(source.count), bound)
      case .high: LZ4_compress_HC(source, &target, Int32(source.count), bound, 12)
      }
    return Array(target.prefix(Int(count)))
  }
}

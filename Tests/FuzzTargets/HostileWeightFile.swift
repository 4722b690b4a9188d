import CCodec
import Weights

/// Weight files whose checksums are right whatever else is in them.
enum HostileWeightFile {
  /// `bytes` with the checksums of the preamble and of the header made right, where there are such.
  static func sealed(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.count >= 64 else { return bytes }
    var result = bytes
    put(UInt64(bytes.count), &result, at: 16)
    let start = integer(bytes, 24)
    if start >= 64, start <= bytes.count {
      put(UInt64(bytes.count - start), &result, at: 32)
      put(cc_crc32c(0, Array(bytes[start...]), bytes.count - start), &result, at: 40)
    }
    put(cc_crc32c(0, result, 44), &result, at: 44)
    return result
  }

  /// A file of one tensor of one block: its type, rows and columns from three bytes of `input`,
  /// the payload from the others.
  static func block(_ input: [UInt8]) -> [UInt8] {
    let types = WeightType.allCases
    let type = types[Int(input.first ?? 0) % types.count]
    let rows = 1 + Int(input.dropFirst().first ?? 0) % 8
    let columns = type.blockElements * (1 + Int(input.dropFirst(2).first ?? 0) % 40)
    let payload = Array(input.dropFirst(3))
    var file: [UInt8] = Array("IMPRINT\0".utf8) + [1, 0, 0, 0] + [UInt8](repeating: 0, count: 52)
    file += payload
    let table = file.count
    var entry = [UInt8](repeating: 0, count: 16)
    put(UInt64(64), &entry, at: 0)
    put(UInt32(payload.count), &entry, at: 8)
    put(cc_crc32c(0, payload, payload.count), &entry, at: 12)
    file += entry
    let header = """
      {"architecture":{"model_type":"llama","hidden_size":8,"intermediate_size":12,\
      "num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":4,\
      "vocab_size":16,"max_position_embeddings":16,"rms_norm_eps":1e-05,"rope_theta":10000,\
      "tie_word_embeddings":true,"attention_bias":false,"eos_token_ids":[]},\
      "block_table":{"offset":\(table),"size":16,"checksum":\(cc_crc32c(0, entry, 16))},\
      "tensors":[{"name":"t","type":"\(type.label)","rows":\(rows),"columns":\(columns),\
      "block_rows":\(rows),"first_block":0}]}
      """
    put(UInt64(file.count), &file, at: 24)
    return sealed(file + Array(header.utf8))
  }

  private static func put<I: FixedWidthInteger>(_ value: I, _ bytes: inout [UInt8], at offset: Int)
  {
    withUnsafeBytes(of: value.littleEndian) {
      bytes.replaceSubrange(offset..<offset + $0.count, with: $0)
    }
  }

  private static func integer(_ bytes: [UInt8], _ offset: Int) -> Int {
    let value = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    return Int(truncatingIfNeeded: value)
  }
}

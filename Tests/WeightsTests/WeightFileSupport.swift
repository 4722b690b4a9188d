import CCodec
import Foundation
import Storage
import Weights

/// A tensor and its stored bytes.
struct Sample {
  var description: TensorDescription
  var bytes: [UInt8]

  /// Bytes without any order: every bit pattern of a type, NaN and infinity among them.
  static func random(_ type: WeightType, _ rows: Int, _ columns: Int, name: String? = nil) -> Sample
  {
    let description = TensorDescription(
      name: name ?? "\(type.label).\(rows)x\(columns)", type: type, rows: rows, columns: columns)
    var generator = SplitMix64(seed: UInt64(rows * 1000 + columns) &+ UInt64(type.rawValue) << 32)
    return Sample(
      description: description,
      bytes: (0..<rows * description.rowBytes).map { _ in
        UInt8(truncatingIfNeeded: generator.next() >> 32)
      })
  }

  /// Normally distributed elements, σ = 0.02: what blocks are compressed as in real files.
  static func gaussian(_ type: WeightType, _ rows: Int, _ columns: Int, name: String) -> Sample {
    var generator = SplitMix64(seed: 7)
    var bytes: [UInt8] = []
    for _ in 0..<rows * columns {
      let radius = (-2 * log(max(generator.uniform(), 1e-300))).squareRoot()
      let value = Float(0.02 * radius * cos(2 * Double.pi * generator.uniform()))
      switch type {
      case .f16:
        Swift.withUnsafeBytes(of: Float16(value).bitPattern) { bytes.append(contentsOf: $0) }
      case .bf16:
        Swift.withUnsafeBytes(of: UInt16(value.bitPattern >> 16)) { bytes.append(contentsOf: $0) }
      default: Swift.withUnsafeBytes(of: value.bitPattern) { bytes.append(contentsOf: $0) }
      }
    }
    return Sample(
      description: TensorDescription(name: name, type: type, rows: rows, columns: columns),
      bytes: bytes)
  }

  /// Rows `range` as f32 bit patterns, converted without the file.
  func floats(_ range: Range<Int>) -> [UInt32] {
    let rowBytes = description.rowBytes
    let part = Array(bytes[range.lowerBound * rowBytes..<range.upperBound * rowBytes])
    var values = [Float](repeating: 0, count: range.count * description.columns)
    let code = cc_to_f32(description.type.rawValue, part, &values, values.count)
    precondition(code == 0)
    return values.map(\.bitPattern)
  }
}

let tinyArchitecture = Architecture(
  hiddenSize: 64, intermediateSize: 96, numHiddenLayers: 1, numAttentionHeads: 2,
  numKeyValueHeads: 1, headDim: 32, vocabSize: 100, maxPositionEmbeddings: 64, rmsNormEps: 1e-5,
  ropeTheta: 1e4, tieWordEmbeddings: true)

/// Writes `samples`; each is appended in pieces of `piece` rows.
@discardableResult
func write(
  _ samples: [Sample], to path: String, tokenizer: [UInt8]? = nil,
  level: CompressionLevel = .fast, piece: Int = .max
) throws -> WriteSummary {
  let writer = try WeightFileWriter(
    path: path, architecture: tinyArchitecture, tokenizer: tokenizer,
    tensors: samples.map(\.description), level: level)
  for sample in samples {
    let rowBytes = sample.description.rowBytes
    var row = 0
    while row < sample.description.rows {
      let end = row + min(piece, sample.description.rows - row)
      try sample.bytes.withUnsafeBytes {
        try writer.append(UnsafeRawBufferPointer(rebasing: $0[row * rowBytes..<end * rowBytes]))
      }
      row = end
    }
  }
  return try writer.finish()
}

extension WeightTensor {
  /// Rows `range` as f32 bit patterns, so that NaN equals itself.
  func floats(_ range: Range<Int>) throws -> [UInt32] {
    var values = [Float](repeating: 0, count: range.count * columns)
    try withScratch { scratch in
      try values.withUnsafeMutableBufferPointer { output in
        guard let base = output.baseAddress else { return }
        try decode(rows: range, into: base, scratch: scratch)
      }
    }
    return values.map(\.bitPattern)
  }

  func storedBytes(_ range: Range<Int>) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count * description.rowBytes)
    try withScratch { scratch in
      try bytes.withUnsafeMutableBytes { output in
        guard let base = output.baseAddress else { return }
        try stored(rows: range, into: base, scratch: scratch)
      }
    }
    return bytes
  }

  private func withScratch(_ body: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: scratchBytes, alignment: 64)
    defer { scratch.deallocate() }
    try body(scratch)
  }
}

/// The bytes of a file, changed at will, its checksums made right again.
struct RawFile {
  var bytes: [UInt8]

  init(_ path: String) throws { bytes = [UInt8](try Data(contentsOf: URL(filePath: path))) }

  func integer<I: FixedWidthInteger>(_ offset: Int, as type: I.Type = I.self) -> I {
    bytes.withUnsafeBytes { I(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: I.self)) }
  }

  mutating func set<I: FixedWidthInteger>(_ offset: Int, _ value: I) {
    Swift.withUnsafeBytes(of: value.littleEndian) {
      bytes.replaceSubrange(offset..<offset + $0.count, with: $0)
    }
  }

  var headerOffset: Int { Int(integer(24, as: UInt64.self)) }

  /// Makes the preamble's own checksum right.
  mutating func sealPreamble() { set(44, cc_crc32c(0, bytes, 44)) }

  func write(_ path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }
}

/// The line of the ``WeightError`` that `body` throws, without the path; nil where it returns.
func problem(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch let error as WeightError {
    return error.problem
  } catch {
    return "not a WeightError: \(error)"
  }
}

/// What is wrong with the file at `path` as `verify` sees it.
func verifyProblem(_ path: String) -> String? {
  problem { try WeightFile(path: path).verify() }
}

import CCodec
import CLZ4
import Foundation
import Storage
public import Weights

/// Ratio and decoding rate of the weight file's coding, next to plain ways.
public struct CodecSuite {
  /// One way of storing the same weights.
  public struct Row: Codable, Sendable {
    /// What the weights are.
    public var weights: String
    /// How they are stored.
    public var coding: String
    /// Stored bytes / raw bytes.
    public var ratio: Double
    /// Raw gigabytes a second of decompression alone, on one core.
    public var decompress: Double?
    /// Raw gigabytes a second to f32 in memory, on one core.
    public var toFloat: Double?
  }

  /// How many Gaussian weights are made.
  public var count: Int

  /// A suite on `count` Gaussian weights.
  public init(count: Int) { self.count = count }

  /// All rows for Gaussian weights and, where `file` is given, for each type in it.
  public func run(file: WeightFile?) throws -> [Row] {
    let columns = 1024
    let rows = max(1, count / columns)
    let raw = gaussian(rows * columns, .bf16)
    var result = try imprintRows(raw, .bf16, rows: rows, columns: columns)
    result.append(plainCopy(raw))
    result.append(contentsOf: lz4Rows(raw))
    result.append(zstdRow(raw))
    for type in [WeightType.f16, .f32] {
      result += try imprintRows(
        gaussian(rows * columns, type), type, rows: rows, columns: columns, levels: [.fast])
    }
    if let file { result += try fileRows(file) }
    return result
  }

  /// Elements of a normal distribution with σ = 0.02, as initialisers have it, as stored bytes.
  private func gaussian(_ count: Int, _ type: WeightType) -> [UInt8] {
    var generator = SplitMix64(seed: 1)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count * type.blockBytes)
    for _ in 0..<count {
      let radius = (-2 * log(max(generator.uniform(), 1e-300))).squareRoot()
      let value = Float(0.02 * radius * cos(2 * Double.pi * generator.uniform()))
      var bits = value.bitPattern
      switch type {
      case .f16: bits = UInt32(Float16(value).bitPattern)
      // Round to nearest, ties to even.
      case .bf16: bits = (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16
      default: break
      }
      for byte in 0..<type.blockBytes {
        bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * UInt32(byte))))
      }
    }
    return bytes
  }

  private func imprintRows(
    _ raw: [UInt8], _ type: WeightType, rows: Int, columns: Int,
    levels: [CompressionLevel] = CompressionLevel.allCases
  ) throws -> [Row] {
    try levels.map { level in
      let path = NSTemporaryDirectory() + "imprint-codec-\(getpid()).imprint"
      defer { try? FileManager.default.removeItem(atPath: path) }
      let writer = try WeightFileWriter(
        path: path, architecture: Self.architecture, tokenizer: nil,
        tensors: [.init(name: "gaussian", type: type, rows: rows, columns: columns)],
        level: level)
      try raw.withUnsafeBytes { try writer.append($0) }
      _ = try writer.finish()
      let tensor = try WeightFile(path: path).tensor("gaussian")
      return Row(
        weights: "gaussian \(type.label)", coding: "imprint, \(level.rawValue)",
        ratio: Double(tensor.storedBytes) / Double(raw.count),
        decompress: decompressionRate(raw, type, level: level), toFloat: try rate(of: tensor))
    }
  }

  /// Raw bytes a second of decoding all of `tensor` on this thread, block by block.
  private func rate(of tensor: WeightTensor) throws -> Double {
    let step = tensor.blockRows
    let output = UnsafeMutablePointer<Float>.allocate(capacity: step * tensor.columns)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: tensor.scratchBytes, alignment: 64)
    defer {
      output.deallocate()
      scratch.deallocate()
    }
    let bytes = Double(tensor.rows * tensor.description.rowBytes)
    return bytes
      / (try best {
        for row in stride(from: 0, to: tensor.rows, by: step) {
          try tensor.decode(
            rows: row..<min(row + step, tensor.rows), into: output, scratch: scratch)
        }
      }) / 1e9
  }

  private func plainCopy(_ raw: [UInt8]) -> Row {
    var target = [UInt8](repeating: 1, count: raw.count)
    let copy = best { target.withUnsafeMutableBytes { $0.copyBytes(from: raw) } }
    var floats = [Float](repeating: 0, count: raw.count / 2)
    let widen = best {
      _ = cc_to_f32(WeightType.bf16.rawValue, raw, &floats, raw.count / 2)
    }
    return Row(
      weights: "gaussian bf16", coding: "plain copy", ratio: 1,
      decompress: Double(raw.count) / copy / 1e9, toFloat: Double(raw.count) / widen / 1e9)
  }

  private func lz4Rows(_ raw: [UInt8]) -> [Row] {
    let piece = 65536
    let pieces = stride(from: 0, to: raw.count, by: piece).map {
      Array(raw[$0..<min($0 + piece, raw.count)])
    }
    let packed = pieces.map { input -> [UInt8] in
      var output = [UInt8](repeating: 0, count: Int(LZ4_compressBound(Int32(input.count))))
      let size = input.withUnsafeBytes { from in
        output.withUnsafeMutableBytes { to in
          LZ4_compress_default(
            from.baseAddress?.assumingMemoryBound(to: CChar.self),
            to.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(input.count),
            Int32(to.count))
        }
      }
      return Array(output.prefix(Int(size)))
    }
    var target = [UInt8](repeating: 0, count: piece)
    let seconds = best {
      for (input, original) in zip(packed, pieces) {
        _ = input.withUnsafeBytes { from in
          target.withUnsafeMutableBytes { to in
            LZ4_decompress_safe(
              from.baseAddress?.assumingMemoryBound(to: CChar.self),
              to.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(input.count),
              Int32(original.count))
          }
        }
      }
    }
    return [
      Row(
        weights: "gaussian bf16", coding: "lz4",
        ratio: Double(packed.reduce(0) { $0 + $1.count }) / Double(raw.count),
        decompress: Double(raw.count) / seconds / 1e9, toFloat: nil)
    ]
  }

  /// zstd's library where it is installed; it is not linked.
  private func zstdRow(_ raw: [UInt8]) -> Row {
    typealias Bound = @convention(c) (Int) -> Int
    typealias Compress =
      @convention(c) (UnsafeMutableRawPointer?, Int, UnsafeRawPointer?, Int, Int32) -> Int
    typealias Decompress =
      @convention(c) (UnsafeMutableRawPointer?, Int, UnsafeRawPointer?, Int) -> Int
    guard let library = dlopen("libzstd.so.1", RTLD_NOW),
      let bound = dlsym(library, "ZSTD_compressBound"),
      let compress = dlsym(library, "ZSTD_compress"),
      let decompress = dlsym(library, "ZSTD_decompress")
    else {
      return Row(weights: "gaussian bf16", coding: "zstd 3 (not installed)", ratio: .nan)
    }
    let capacity = unsafeBitCast(bound, to: Bound.self)(raw.count)
    var packed = [UInt8](repeating: 0, count: capacity)
    let size = unsafeBitCast(compress, to: Compress.self)(&packed, capacity, raw, raw.count, 3)
    var target = [UInt8](repeating: 0, count: raw.count)
    let seconds = best {
      _ = unsafeBitCast(decompress, to: Decompress.self)(&target, raw.count, packed, size)
    }
    return Row(
      weights: "gaussian bf16", coding: "zstd 3", ratio: Double(size) / Double(raw.count),
      decompress: Double(raw.count) / seconds / 1e9)
  }

  private func fileRows(_ file: WeightFile) throws -> [Row] {
    let types = WeightType.allCases.filter { type in file.tensors.contains { $0.type == type } }
    return try types.compactMap { type in
      let tensors = file.tensors.filter { $0.type == type && $0.rows > 1 }
      guard let largest = tensors.max(by: { $0.rows * $0.columns < $1.rows * $1.columns }) else {
        return nil
      }
      let raw = tensors.reduce(0) { $0 + $1.rows * $1.description.rowBytes }
      return Row(
        weights: "\(type.label) of the model", coding: "imprint",
        ratio: Double(tensors.reduce(0) { $0 + $1.storedBytes }) / Double(raw),
        toFloat: try rate(of: largest))
    }
  }

  /// The least seconds of seven runs, after one that warms up.
  func best(_ body: () throws -> Void) rethrows -> Double {
    try body()
    var least = Double.infinity
    for _ in 0..<7 {
      let start = ContinuousClock.now
      try body()
      least = min(least, (ContinuousClock.now - start).inSeconds)
    }
    return least
  }

  private static let architecture = Architecture(
    hiddenSize: 1024, intermediateSize: 1024, numHiddenLayers: 1, numAttentionHeads: 1,
    numKeyValueHeads: 1, headDim: 1024, vocabSize: 1, maxPositionEmbeddings: 1, rmsNormEps: 1e-5,
    ropeTheta: 1e4, tieWordEmbeddings: true)
}

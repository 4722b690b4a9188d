import Foundation
import Storage
public import Weights

/// A model of random bf16 weights: the size of a checkpoint where the checkpoint cannot be had.
///
/// Matrices and biases are Gaussian with mean 0, RMSNorm's weights with mean 1. A tensor's values
/// depend on the seed, its name and its width alone, so that a model with fewer layers has the
/// first layers of the whole one. There is no tokenizer: tasks must be in token ids.
public struct SyntheticSource: ModelSource {
  /// The files that the architecture was read from.
  public let paths: [String]
  /// The shape, with the layers that are written.
  public let architecture: Architecture
  /// The tensors in the order in which a sweep uses them.
  public let tensors: [SourceTensor]

  /// The standard deviation of RMSNorm's weights.
  public static let normDeviation = 0.05

  /// A model of `architecture`, cut to its first `layers` blocks where they are given.
  ///
  /// `paths` are the files that `architecture` was read from. Throws ``WeightError`` where the
  /// shape is not possible or `layers` is more than it has.
  public init(
    architecture: Architecture, layers: Int? = nil, seed: UInt64, standardDeviation: Double = 0.02,
    paths: [String] = []
  ) throws(WeightError) {
    var architecture = architecture
    let path = paths.first ?? "the architecture"
    try architecture.validate(path: path)
    if let layers {
      guard (1...architecture.numHiddenLayers).contains(layers) else {
        throw WeightError(
          path: path, "layers: expected 1 to \(architecture.numHiddenLayers), found \(layers)")
      }
      architecture.numHiddenLayers = layers
    }
    self.architecture = architecture
    self.paths = paths
    tensors = ExpectedTensors.list(architecture).map { expected in
      let isNorm = expected.name.hasSuffix("norm.weight")
      let description = TensorDescription(
        name: expected.name, type: .bf16, rows: expected.rows, columns: expected.columns)
      return SourceTensor(description: description) { body throws(WeightError) in
        try GaussianStream(
          mean: isNorm ? 1 : 0,
          standardDeviation: isNorm ? Self.normDeviation : standardDeviation,
          seed: seed ^ expected.name.utf8.fnv1a
        ).rows(expected.rows, columns: expected.columns, body)
      }
    }
  }

  /// There is none.
  public func tokenizer() throws(WeightError) -> [UInt8]? { nil }

  /// The architecture of a `config.json`, or of the one in a folder.
  ///
  /// Throws ``WeightError`` where it cannot be read or names a field that is wrong.
  public static func architecture(
    config path: String
  ) throws(WeightError) -> (architecture: Architecture, path: String) {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    let file = exists && isFolder.boolValue ? path + "/config.json" : path
    let bytes: Data
    do {
      bytes = try Data(contentsOf: URL(filePath: file))
    } catch {
      throw WeightError(path: file, "cannot be read")
    }
    let architecture = try HuggingFaceConfiguration.architecture(json: [UInt8](bytes), path: file)
    return (architecture, file)
  }
}

/// Rows of Gaussian bf16 values. Each is one of 65,536 equally likely quantiles, so a value costs
/// 16 random bits and a look-up; the largest is 4.3 standard deviations from the mean.
private struct GaussianStream {
  /// By 16 random bits: the value, bf16.
  private let values: [UInt16]
  private let seed: UInt64

  init(mean: Double, standardDeviation: Double, seed: UInt64) {
    let upper = Self.upperQuantiles
    let lower = upper.reversed().map { -$0 }
    values = (lower + upper).map { quantile in
      // Round to nearest, ties to even.
      let bits = Float(mean + standardDeviation * quantile).bitPattern
      return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
    }
    self.seed = seed
  }

  /// The quantiles (i + ½) / 65,536 of a normal distribution that are above its median.
  private static let upperQuantiles: [Double] = {
    // Newton's iteration comes from the left and never oversteps: the distribution is concave here.
    var x = 0.0
    return (0..<32_768).map { index in
      let probability = (Double(index) + 0.5) / 65_536
      for _ in 0..<8 {
        x +=
          (probability - 0.5 * erf(x / 2.0.squareRoot())) * (2 * Double.pi).squareRoot()
          * exp(x * x / 2)
      }
      return x
    }
  }()

  /// Gives `rows` rows in pieces of at most about 128 KiB.
  func rows(
    _ rows: Int, columns: Int, _ body: (UnsafeRawBufferPointer) throws(WeightError) -> Void
  ) throws(WeightError) {
    var generator = SplitMix64(seed: seed)
    let step = max(1, 65_536 / columns)
    let piece = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: min(step, rows) * columns)
    defer { piece.deallocate() }
    for first in stride(from: 0, to: rows, by: step) {
      let count = min(step, rows - first) * columns
      values.withUnsafeBufferPointer { values in
        var index = 0
        while index < count {
          var bits = generator.next()
          for _ in 0..<min(4, count - index) {
            piece[index] = values[Int(bits & 0xffff)].littleEndian
            bits >>= 16
            index += 1
          }
        }
      }
      try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(piece)[..<(2 * count)]))
    }
  }
}

extension Sequence<UInt8> {
  /// The 64-bit FNV-1a hash (Fowler, Noll, Vo).
  fileprivate var fnv1a: UInt64 {
    reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
  }
}

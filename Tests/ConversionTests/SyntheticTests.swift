import Conversion
import Foundation
import Storage
import TestSupport
import Testing
import Weights

/// Weight files of random weights.
@Suite struct SyntheticTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let small = Architecture(
    hiddenSize: 96, intermediateSize: 200, numHiddenLayers: 3, numAttentionHeads: 6,
    numKeyValueHeads: 2, headDim: 16, vocabSize: 1003, maxPositionEmbeddings: 64,
    rmsNormEps: 1e-5, ropeTheta: 10_000, tieWordEmbeddings: false, attentionBias: true)

  private func write(
    _ name: String, _ architecture: Architecture = small, layers: Int? = nil, seed: UInt64 = 1,
    deviation: Double = 0.02
  ) throws -> WeightFile {
    let source = try SyntheticSource(
      architecture: architecture, layers: layers, seed: seed, standardDeviation: deviation)
    _ = try Converter(output: folder.file(name)).convert(source)
    return try WeightFile(path: folder.file(name))
  }

  private func values(_ file: WeightFile, _ name: String) throws -> [Float] {
    let tensor = try file.tensor(name)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: tensor.scratchBytes, alignment: 64)
    defer { scratch.deallocate() }
    var values = [Float](repeating: 0, count: tensor.rows * tensor.columns)
    try tensor.decode(rows: 0..<tensor.rows, into: &values, scratch: scratch)
    return values
  }

  private func statistics(_ values: [Float]) -> (mean: Double, deviation: Double, kurtosis: Double)
  {
    let count = Double(values.count)
    let mean = values.reduce(0) { $0 + Double($1) } / count
    let second = values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count
    let fourth = values.reduce(0) { $0 + pow(Double($1) - mean, 4) } / count
    return (mean, second.squareRoot(), fourth / second / second)
  }

  /// The numbers of parameters that the models' cards give.
  @Test(arguments: [
    ("smollm2-135m", 134_515_008), ("smollm2-360m", 361_821_120), ("smollm2-1.7b", 1_711_376_384),
    ("qwen2.5-0.5b", 494_032_768), ("qwen2.5-1.5b", 1_543_714_304),
    ("tinyllama-1.1b", 1_100_048_384), ("llama-3.2-1b", 1_235_814_400),
    ("llama-3.2-3b", 3_212_749_824), ("llama-3.1-8b", 8_030_261_248),
  ]) func namedShapesHaveTheirParameters(_ name: String, _ count: Int) throws {
    let architecture = try #require(NamedArchitecture.find(name))
    let source = try SyntheticSource(architecture: architecture, seed: 0)
    let sum = source.tensors.reduce(0) { $0 + $1.description.rows * $1.description.columns }
    #expect(sum == count)
  }

  @Test func fileIsWholeAndHasNoTokenizer() throws {
    let file = try write("a.imprint")
    try file.verify()
    #expect(file.architecture == Self.small)
    #expect(try file.tokenizerData() == nil)
    #expect(file.tensors.count == 1 + 3 * 12 + 2)
    #expect(file.tensors.allSatisfy { $0.type == .bf16 })
  }

  /// 96,288 draws: the mean is off by 0.0032 σ and the deviation by 0.23 % as standard errors, the
  /// kurtosis of a normal distribution is 3 ± 0.016. Bounds are five of them.
  @Test(arguments: [0.02, 1.5]) func valuesAreGaussian(_ deviation: Double) throws {
    let file = try write("a.imprint", deviation: deviation)
    for name in ["model.embed_tokens.weight", "lm_head.weight"] {
      let found = statistics(try values(file, name))
      #expect(abs(found.mean) < 5 * 0.0032 * deviation)
      #expect(abs(found.deviation / deviation - 1) < 5 * 0.0023)
      #expect(abs(found.kurtosis - 3) < 5 * 0.016)
    }
  }

  @Test func normsAreNearOne() throws {
    let file = try write("a.imprint")
    for name in ["model.norm.weight", "model.layers.1.post_attention_layernorm.weight"] {
      let found = statistics(try values(file, name))
      // 96 draws: five standard errors.
      #expect(abs(found.mean - 1) < 5 * SyntheticSource.normDeviation / 9.8)
      #expect(abs(found.deviation / SyntheticSource.normDeviation - 1) < 5 / 192.0.squareRoot())
    }
  }

  @Test func sameSeedSameBytes() throws {
    _ = try write("a.imprint", seed: 7)
    _ = try write("b.imprint", seed: 7)
    _ = try write("c.imprint", seed: 8)
    let bytes = try ["a", "b", "c"].map {
      try Data(contentsOf: URL(filePath: folder.file("\($0).imprint")))
    }
    #expect(bytes[0] == bytes[1])
    #expect(bytes[0] != bytes[2])
  }

  @Test func tensorsDifferFromOneAnother() throws {
    let file = try write("a.imprint")
    let first = try values(file, "model.layers.0.mlp.gate_proj.weight")
    #expect(try first != values(file, "model.layers.0.mlp.up_proj.weight"))
    #expect(try first != values(file, "model.layers.1.mlp.gate_proj.weight"))
  }

  @Test func fewerLayersAreTheFirstOnes() throws {
    let whole = try write("a.imprint")
    let short = try write("b.imprint", layers: 2)
    #expect(short.architecture.numHiddenLayers == 2)
    for tensor in short.tensors {
      #expect(try values(short, tensor.name) == values(whole, tensor.name), "\(tensor.name)")
    }
    for layers in [0, 4] {
      let error = #expect(throws: WeightError.self) { _ = try write("c.imprint", layers: layers) }
      #expect(error?.problem == "layers: expected 1 to 3, found \(layers)")
    }
  }

  @Test func configurationFileOrItsFolder() throws {
    let (named, path) = try SyntheticSource.architecture(config: TinyModel.folder)
    #expect(named == TinyModel.architecture)
    #expect(try SyntheticSource.architecture(config: path).architecture == named)
    let error = #expect(throws: WeightError.self) {
      _ = try SyntheticSource.architecture(config: folder.file("config.json"))
    }
    #expect(error?.problem == "cannot be read")
  }

  /// A file of 75 MB through less than 8 MiB, whatever the size of its tensors.
  @Test func memoryIsBounded() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let architecture = Architecture(
        hiddenSize: 512, intermediateSize: 16_384, numHiddenLayers: 1, numAttentionHeads: 8,
        numKeyValueHeads: 8, headDim: 64, vocabSize: 24_576, maxPositionEmbeddings: 64,
        rmsNormEps: 1e-5, ropeTheta: 10_000, tieWordEmbeddings: true)
      let source = try SyntheticSource(architecture: architecture, seed: 1)
      let before = MemoryUsage.current.anonymous
      let summary = try Converter(output: folder.file("a.imprint")).convert(source)
      #expect(summary.written.rawBytes > 75_000_000)
      #expect(summary.peakAnonymous - before < 8 << 20, "\(summary.peakAnonymous - before)")
    }
  }
}

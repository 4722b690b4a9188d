import Foundation
import LoRA
import Storage
import TestSupport
import Testing
import Weights

/// One test for each way in which an adapter can be wrong.
@Suite struct AdapterFileTests {
  let folder: TemporaryFolder
  static let config = """
    {"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q_proj"]}
    """
  static let prefix = "base_model.model.model.layers."

  init() throws { folder = try TemporaryFolder() }

  /// A one-layer model of hidden size 8.
  static let architecture = Architecture(
    hiddenSize: 8, intermediateSize: 12, numHiddenLayers: 1, numAttentionHeads: 2,
    numKeyValueHeads: 1, headDim: 4, vocabSize: 16, maxPositionEmbeddings: 16, rmsNormEps: 1e-5,
    ropeTheta: 1e4, tieWordEmbeddings: true)

  private func write(_ tensors: [(String, [Int])], dtype: String = "F32") throws {
    let writer = try SafetensorsWriter(
      path: folder.file("adapter_model.safetensors"),
      tensors: tensors.map { .init(name: $0.0, dtype: dtype, shape: $0.1) })
    let bytes = dtype == "F32" ? 4 : 8
    let zeros = [UInt8](repeating: 0, count: tensors.reduce(0) { $0 + $1.1.reduce(bytes, *) })
    try zeros.withUnsafeBytes { try writer.append($0) }
    try writer.finish()
  }

  private func good() throws {
    try write([
      (Self.prefix + "0.self_attn.q_proj.lora_A.weight", [2, 8]),
      (Self.prefix + "0.self_attn.q_proj.lora_B.weight", [8, 2]),
    ])
    try folder.write(Array(Self.config.utf8), "adapter_config.json")
  }

  private func read() throws {
    let file = try AdapterFile(path: folder.path)
    let tensors = AdapterTensors<Float>(
      layout: AdapterLayout(file.configuration, architecture: Self.architecture), arena: Arena(),
      for: .adapter)
    try file.read(into: tensors)
  }

  private func refuses(_ problem: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let error = #expect(throws: WeightError.self, sourceLocation: sourceLocation) { try read() }
    #expect(
      error?.problem.contains(problem) == true, "\(error?.problem ?? "")",
      sourceLocation: sourceLocation)
  }

  private func configuration(_ find: String, _ replacement: String) throws {
    try good()
    try folder.write(
      Array(Self.config.replacing(find, with: replacement).utf8), "adapter_config.json")
  }

  @Test func theGoodOneIsRead() throws {
    try good()
    try read()
  }

  @Test func noFolder() {
    #expect(throws: WeightError.self) { try AdapterFile(path: folder.file("nothing")) }
  }

  @Test func emptyFolder() { refuses("cannot be opened") }

  @Test func noConfiguration() throws {
    try good()
    try FileManager.default.removeItem(atPath: folder.file("adapter_config.json"))
    refuses("cannot be read")
  }

  @Test(arguments: ["", "[]", "null", "{", "\"", "{\"r\":"]) func configurationThatIsNoObject(
    _ text: String
  ) throws {
    try good()
    try folder.write(Array(text.utf8), "adapter_config.json")
    #expect(throws: WeightError.self) { try read() }
  }

  @Test(arguments: [
    "0", "-1", "65537", "9000000000000000000", "90000000000000000000", "1e300", "1.5", "\"2\"",
  ]) func rankThatCannotBe(_ rank: String) throws {
    try configuration("\"r\":2", "\"r\":\(rank)")
    #expect(throws: WeightError.self) { try read() }
  }

  @Test(arguments: ["0", "-1", "65537", "9000000000000000000"])
  func rankPatternThatCannotBe(_ rank: String) throws {
    try configuration("\"r\":2", "\"r\":2,\"rank_pattern\":{\"q_proj\":\(rank)}")
    refuses("rank_pattern: expected 1 to 65536")
  }

  /// A rank that the tensors do not have: refused before memory is taken for it.
  @Test func rankOtherThanTheTensors() throws {
    try configuration("\"r\":2", "\"r\":65536")
    refuses("expected shape (65536, in), found [2, 8]")
  }

  @Test func moduleWithoutTensors() throws {
    try configuration("[\"q_proj\"]", "[\"q_proj\",\"v_proj\"]")
    refuses("has no tensor for v_proj")
  }

  @Test func moduleOfNoModel() throws {
    try configuration("[\"q_proj\"]", "[\"x_proj\"]")
    refuses("'x_proj' is none of the seven linears")
  }

  @Test func anotherMethod() throws {
    try configuration("LORA", "IA3")
    refuses("expected LORA")
  }

  @Test func deepNesting() throws {
    try configuration("[\"q_proj\"]", String(repeating: "[", count: 100_000))
    #expect(throws: WeightError.self) { try read() }
  }

  @Test func tensorOfAnotherShape() throws {
    try good()
    try write([
      (Self.prefix + "0.self_attn.q_proj.lora_A.weight", [2, 8]),
      (Self.prefix + "0.self_attn.q_proj.lora_B.weight", [2, 8]),
    ])
    refuses("expected shape (8, 2), found [2, 8]")
  }

  @Test func tensorOfIntegers() throws {
    try good()
    try write(
      [
        (Self.prefix + "0.self_attn.q_proj.lora_A.weight", [2, 8]),
        (Self.prefix + "0.self_attn.q_proj.lora_B.weight", [8, 2]),
      ], dtype: "I64")
    refuses("expected a floating-point type")
  }

  @Test func missingTensor() throws {
    try good()
    try write([(Self.prefix + "0.self_attn.q_proj.lora_A.weight", [2, 8])])
    refuses("lora_B' is missing")
  }

  @Test(arguments: ["7", "-1", "9000000000000000000", "90000000000000000000", "x", ""])
  func layerOfNoModel(_ layer: String) throws {
    try good()
    try write([
      (Self.prefix + "0.self_attn.q_proj.lora_A.weight", [2, 8]),
      (Self.prefix + "0.self_attn.q_proj.lora_B.weight", [8, 2]),
      (Self.prefix + "\(layer).self_attn.q_proj.lora_A.weight", [2, 8]),
    ])
    refuses("belongs to no linear of the model")
  }

  @Test func tensorUnderTwoNames() throws {
    try good()
    try write([
      (Self.prefix + "0.self_attn.q_proj.lora_A.weight", [2, 8]),
      ("layers.0.self_attn.q_proj.lora_A", [2, 8]),
    ])
    refuses("appears under two names")
  }

  @Test func truncatedTensors() throws {
    try good()
    let path = folder.file("adapter_model.safetensors")
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    for length in 0..<bytes.count {
      try folder.write(Array(bytes.prefix(length)), "adapter_model.safetensors")
      #expect(throws: WeightError.self) { try read() }
    }
  }
}

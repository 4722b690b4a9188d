import Conversion
import Foundation
import TestSupport
import Testing
import Weights

/// From a Hugging Face folder, or the safetensors file in it.
@Suite struct HuggingFaceConversionTests {
  private let test: ConversionCase

  init() throws { test = try ConversionCase() }

  @Test(arguments: CompressionLevel.allCases, [true, false])
  func folderComesOutBitForBit(level: CompressionLevel, tied: Bool) throws {
    let model = SmallModel(tied: tied)
    try model.write(to: test.folder)
    let file = try test.convert(level: level)
    try test.expectSame(file, model)
    #expect(file.architecture.tieWordEmbeddings == tied)
    #expect(file.architecture.rmsNormEps == 1e-5 && file.architecture.eosTokenIds == [2])
    #expect(try file.tokenizerData() == nil)
  }

  @Test func qwen2FolderKeepsItsBiases() throws {
    let model = SmallModel(modelType: "qwen2")
    try model.write(to: test.folder)
    let file = try test.convert()
    try test.expectSame(file, model)
    #expect(file.architecture.attentionBias)
  }

  @Test func tensorsAreInOrderOfUse() throws {
    try SmallModel(tied: false).write(to: test.folder)
    let names = try test.convert().tensorNames
    #expect(names.first == "model.embed_tokens.weight")
    #expect(names.suffix(2) == ["model.norm.weight", "lm_head.weight"])
    let block = names.filter { $0.hasPrefix("model.layers.1.") }
      .map { $0.dropFirst("model.layers.1.".count) }
    #expect(
      block == [
        "input_layernorm.weight", "self_attn.q_proj.weight", "self_attn.k_proj.weight",
        "self_attn.v_proj.weight", "self_attn.o_proj.weight", "post_attention_layernorm.weight",
        "mlp.gate_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight",
      ])
  }

  @Test func onlyWhatIsExactlyBF16IsStoredAsBF16() throws {
    try SmallModel().write(to: test.folder)
    for tensor in try test.convert().tensors {
      #expect(tensor.type == (tensor.rows == 1 ? .bf16 : .f32), "\(tensor.name)")
    }
  }

  @Test func shardsWithAnIndex() throws {
    let model = SmallModel()
    try model.write(to: test.folder, shards: 3)
    try test.expectSame(test.convert(), model)
  }

  @Test func aLoneFileBesideItsConfiguration() throws {
    let model = SmallModel()
    try model.write(to: test.folder)
    // Its content tells what it is, not its name.
    try FileManager.default.moveItem(
      atPath: test.folder.file("model.safetensors"), toPath: test.folder.file("weights.bin"))
    try test.expectSame(test.convert(test.folder.file("weights.bin")), model)
  }

  @Test func namesWithoutTheirFirstPart() throws {
    let model = SmallModel()
    var short = model
    short.tensors = Dictionary(
      uniqueKeysWithValues: model.tensors.map { (String($0.key.dropFirst(6)), $0.value) })
    try short.write(to: test.folder)
    try test.expectSame(test.convert(), model)
  }

  // MARK: The tied matrix

  @Test func tiedMatrixUnderTheHeadsName() throws {
    let model = SmallModel()
    var renamed = model
    renamed.tensors["lm_head.weight"] = renamed.tensors.removeValue(
      forKey: "model.embed_tokens.weight")
    try renamed.write(to: test.folder)
    try test.expectSame(test.convert(), model)
  }

  @Test func tiedMatrixUnderBothNamesIsStoredOnce() throws {
    let model = SmallModel()
    var both = model
    both.tensors["lm_head.weight"] = both.tensors["model.embed_tokens.weight"]
    try both.write(to: test.folder)
    try test.expectSame(test.convert(), model)
  }

  @Test func headThatDiffersIsKept() throws {
    var model = SmallModel()
    model.tensors["lm_head.weight"] = model.tensors["model.embed_tokens.weight"]
    model.tensors["lm_head.weight"]?.values[5] += 1
    try model.write(to: test.folder)
    let file = try test.convert()
    try test.expectSame(file, model)
    #expect(!file.architecture.tieWordEmbeddings)
  }

  @Test func untiedWithoutAHead() throws {
    var model = SmallModel(tied: false)
    model.tensors["lm_head.weight"] = nil
    try model.write(to: test.folder)
    try test.refuses("tensor 'lm_head.weight' is missing and tie_word_embeddings is false")
  }

  // MARK: Wrong folders

  @Test func missingTensor() throws {
    var model = SmallModel()
    model.tensors["model.layers.1.mlp.up_proj.weight"] = nil
    try model.write(to: test.folder)
    try test.refuses("'model.layers.1.mlp.up_proj.weight' is missing: expected shape (96, 64)")
  }

  @Test func superfluousTensor() throws {
    var model = SmallModel()
    model.tensors["model.layers.0.self_attn.q_proj.bias"] = .init(
      shape: [64], values: [Float](repeating: 1, count: 64))
    try model.write(to: test.folder)
    try test.refuses(
      "'model.layers.0.self_attn.q_proj.bias' is not one of a llama model with 2 layers")
  }

  @Test func oneLayerMoreThanConfigured() throws {
    var model = SmallModel()
    model.config["num_hidden_layers"] = "1"
    try model.write(to: test.folder)
    try test.refuses("is not one of a llama model with 1 layers")
  }

  @Test func rotaryTableIsPassedOver() throws {
    let model = SmallModel()
    var old = model
    old.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = .init(
      shape: [8], values: [Float](repeating: 1, count: 8))
    try old.write(to: test.folder)
    try test.expectSame(test.convert(), model)
  }

  @Test func wrongShape() throws {
    var model = SmallModel()
    model.tensors["model.layers.0.mlp.down_proj.weight"]?.shape = [96, 64]
    try model.write(to: test.folder)
    try test.refuses(
      "'model.layers.0.mlp.down_proj.weight': expected shape (64, 96), found [96, 64]")
  }

  @Test func indexThatNamesTheWrongShard() throws {
    try SmallModel().write(to: test.folder, shards: 2)
    let path = test.folder.file("model.safetensors.index.json")
    var text = try String(contentsOfFile: path, encoding: .utf8)
    let (first, second) = ("model-00001-of-00002", "model-00002-of-00002")
    text = text.replacing(first, with: "X").replacing(second, with: first)
      .replacing("X", with: second)
    try test.folder.write(Array(text.utf8), "model.safetensors.index.json")
    try test.refuses("weight_map: tensor 'model.embed_tokens.weight' is not in")
  }

  @Test func tensorInTwoShards() throws {
    let model = SmallModel()
    try model.write(to: test.folder, shards: 2)
    try model.write(
      model.tensors.keys.sorted(), to: test.folder.file("model-00002-of-00002.safetensors"))
    try test.refuses("'model.embed_tokens.weight' is in")
  }

  @Test func indexThatLeavesTheFolder() throws {
    try test.folder.write(Array(SmallModel().configJSON.utf8), "config.json")
    try test.folder.write(
      Array(#"{"weight_map":{"a":"../b"}}"#.utf8), "model.safetensors.index.json")
    try test.refuses("'../b' is not a file of the folder")
  }

  @Test func missingShard() throws {
    try SmallModel().write(to: test.folder, shards: 2)
    try FileManager.default.removeItem(
      atPath: test.folder.file("model-00002-of-00002.safetensors"))
    try test.refuses("model-00002-of-00002.safetensors: cannot be opened")
  }

  @Test func folderWithoutWeights() throws {
    try test.folder.write(Array(SmallModel().configJSON.utf8), "config.json")
    try test.refuses("has neither model.safetensors nor model.safetensors.index.json")
  }

  @Test func folderWithoutConfiguration() throws {
    try SmallModel().write(to: test.folder)
    try FileManager.default.removeItem(atPath: test.folder.file("config.json"))
    try test.refuses("config.json: cannot be read")
  }

  @Test func elementsOfAnotherType() throws {
    var model = SmallModel()
    model.tensors["model.norm.weight"] = nil
    try test.folder.write(Array(model.configJSON.utf8), "config.json")
    try model.write(model.tensors.keys.sorted(), to: test.folder.file("model-1.safetensors"))
    let writer = try SafetensorsWriter(
      path: test.folder.file("model-2.safetensors"),
      tensors: [.init(name: "model.norm.weight", dtype: "I32", shape: [64])])
    try [Int32](repeating: 1, count: 64).withUnsafeBytes { try writer.append($0) }
    try writer.finish()
    var map = model.tensors.mapValues { _ in "model-1.safetensors" }
    map["model.norm.weight"] = "model-2.safetensors"
    try test.folder.write(
      Array(JSONEncoder().encode(["weight_map": map])), "model.safetensors.index.json")
    try test.refuses("'model.norm.weight': expected F32, F16 or BF16, found I32")
  }

  @Test func damagedTokenizer() throws {
    try SmallModel().write(to: test.folder)
    try test.folder.write(Array("{}".utf8), "tokenizer.json")
    try test.refuses("tokenizer.json: ")
  }

  /// The tiny model of the golden values, and a real one where it is beside the checkout.
  @Test func goldenTinyModel() throws {
    let source = try SafetensorsFile(path: TinyModel.folder + "/model.safetensors")
    let file = try test.convert(TinyModel.folder)
    #expect(file.architecture == TinyModel.architecture)
    for name in file.tensorNames { #expect(try file.values(name) == source.floats(name)) }
  }

  @Test(.enabled(if: Fixtures.sharedData != nil)) func tinyStories() throws {
    let path = (Fixtures.sharedData ?? "") + "/models/tinystories-656k"
    let source = try SafetensorsFile(path: path + "/model.safetensors")
    let file = try test.convert(path)
    #expect(file.architecture.tieWordEmbeddings && file.architecture.vocabSize == 2048)
    #expect(try file.tokenizerData() != nil)
    #expect(try file.values("model.embed_tokens.weight") == source.floats("lm_head.weight"))
    for name in file.tensorNames.dropFirst() {
      #expect(try file.values(name) == source.floats(name), "\(name)")
    }
  }
}

import Conversion
import Foundation
import FuzzTargets
import Llama
import LoRA
import MetaLearning
import Optimizers
import Storage
import TestSupport
import Testing
import Text
import Weights

/// Makes the seeds in `Tests/Fixtures/fuzz`: small files of every kind, of our own making.
///
///     IMPRINT_WRITE_SEEDS=1 swift test -c release --filter FuzzSeeds
@Suite(
  .enabled(
    if: ProcessInfo.processInfo.environment["IMPRINT_WRITE_SEEDS"] != nil,
    "IMPRINT_WRITE_SEEDS is not set"))
struct FuzzSeeds {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func seed(_ target: FuzzTarget, _ name: String, _ bytes: [UInt8]) throws {
    let path = Fixtures.path("fuzz/\(target.rawValue)")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(filePath: "\(path)/\(name)"))
    let refusal = target.feed(bytes, folder: folder.path)
    #expect((refusal == nil) == name.hasPrefix("good"), "\(target) \(name): \(refusal ?? "read")")
  }

  private func read(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
  }

  private static let json = """
    {"added_tokens":[{"id":7,"content":"<s>","special":true}],"normalizer":{"type":"NFC"},\
    "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},\
    "decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"r":2,"i":3,"ab":4,\
    "ri":5,"Ġ":6},"merges":["a b",["r","i"]]}}
    """

  @Test func tokenizers() throws {
    try seed(.tokenizer, "good-small", Array(Self.json.utf8))
    let tables = try Tokenizer(tokenizerJSON: Data(Self.json.utf8)).serialized()
    try seed(.tables, "good-small", tables)
    try seed(.tables, "cut", Array(tables.dropLast(3)))
    let fallback = Self.json.replacing(
      "\"type\":\"BPE\"", with: "\"type\":\"BPE\",\"byte_fallback\":true")
    try seed(.tokenizer, "deep", Array((fallback + String(repeating: "[", count: 300)).utf8))
  }

  @Test func weights() throws {
    let path = folder.file("w.imprint")
    let tensors: [(TensorDescription, [UInt8])] = [
      (.init(name: "planes", type: .bf16, rows: 2, columns: 32), (0..<128).map { UInt8($0 / 2) }),
      (.init(name: "lz4", type: .q8_0, rows: 1, columns: 64), .init(repeating: 3, count: 68)),
      (.init(name: "stored", type: .f32, rows: 1, columns: 2), [1, 2, 3, 4, 5, 6, 7, 63]),
    ]
    let writer = try WeightFileWriter(
      path: path,
      architecture: Architecture(
        hiddenSize: 8, intermediateSize: 12, numHiddenLayers: 1, numAttentionHeads: 2,
        numKeyValueHeads: 1, headDim: 4, vocabSize: 16, maxPositionEmbeddings: 16,
        rmsNormEps: 1e-5, ropeTheta: 1e4, tieWordEmbeddings: true),
      tokenizer: try Tokenizer(tokenizerJSON: Data(Self.json.utf8)).serialized(),
      tensors: tensors.map(\.0), level: .fast)
    for (_, bytes) in tensors { try bytes.withUnsafeBytes { try writer.append($0) } }
    _ = try writer.finish()
    try seed(.weights, "good-small", read(path))
    // Type f32, one row of two columns, stored; the same of bf16 in planes and of q4_1 as LZ4.
    try seed(.block, "good-stored", [0, 0, 0, 0, 1, 2, 3, 4])
    try seed(
      .block, "planes", [2, 1, 7, 2, 0x7f, 0x1f, 0, 1, 0, 0x50, 0, 0, 0, 0, 0] + .init(0..<16))
    try seed(.block, "good-lz4", [5, 1, 0, 1, 0x1f, 0, 1, 0, 0x0f, 0x50, 0, 0, 0, 0, 0])
    try seed(.block, "unknown-coding", [0, 0, 0, 9, 1])
  }

  @Test func gguf() throws {
    var builder = GGUFBuilder()
    builder.metadata = [
      ("general.architecture", .string("llama")), ("llama.embedding_length", .u32(8)),
      ("llama.feed_forward_length", .u32(12)), ("llama.block_count", .u32(1)),
      ("llama.attention.head_count", .u32(2)), ("llama.attention.head_count_kv", .u32(1)),
      ("llama.attention.layer_norm_rms_epsilon", .f32(1e-5)),
      ("llama.rope.dimension_count", .u32(4)), ("llama.context_length", .u32(16)),
      ("tokenizer.ggml.model", .string("llama")),
      ("tokenizer.ggml.tokens", .strings(["<unk>", "a", "b", "ab"])),
      ("tokenizer.ggml.token_type", .i32s([2, 1, 1, 1])),
      ("tokenizer.ggml.scores", .f32s([0, -1, -2, -1])),
      ("tokenizer.ggml.add_bos_token", .bool(false)),
    ]
    let shapes: [(String, [UInt64])] = [
      ("token_embd.weight", [8, 4]), ("blk.0.attn_norm.weight", [8]),
      ("blk.0.attn_q.weight", [8, 8]), ("blk.0.attn_k.weight", [8, 4]),
      ("blk.0.attn_v.weight", [8, 4]), ("blk.0.attn_output.weight", [8, 8]),
      ("blk.0.ffn_norm.weight", [8]), ("blk.0.ffn_gate.weight", [8, 12]),
      ("blk.0.ffn_up.weight", [8, 12]), ("blk.0.ffn_down.weight", [12, 8]),
      ("output_norm.weight", [8]),
    ]
    builder.tensors = shapes.map { name, shape in
      .init(name, shape, type: 1, bytes: .init(repeating: 0x3c, count: Int(shape.reduce(2, *))))
    }
    try seed(.gguf, "good-model", builder.bytes)
    builder.tensors.removeLast()
    try seed(.gguf, "no-norm", builder.bytes)
  }

  @Test func safetensors() throws {
    let path = folder.file("s")
    let writer = try SafetensorsWriter(
      path: path,
      tensors: [
        .init(name: "a", shape: [2, 2]), .init(name: "b", dtype: "BF16", shape: [3]),
        .init(name: "c", dtype: "F64", shape: []),
      ], metadata: ["format": "pt"])
    let bytes = [UInt8](0..<30)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.finish()
    try seed(.safetensors, "good-small", read(path))
    try seed(.safetensors, "trailing", read(path) + [0])
  }

  @Test func configurations() throws {
    let config = try read(TinyModel.folder + "/config.json")
    try seed(.config, "good-tiny", config)
    try seed(.config, "good-generation", config + [0] + Array("{\"eos_token_id\":[2,5]}".utf8))
    let llama3 = String(decoding: config, as: UTF8.self).replacing(
      "\"model_type\"",
      with: """
        "rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,\
        "original_max_position_embeddings":64},"model_type"
        """)
    try seed(.config, "good-llama3", Array(llama3.utf8))
    try seed(.config, "no-heads", Array("{\"model_type\":\"llama\",\"hidden_size\":0}".utf8))
  }

  @Test func adapters() throws {
    let arena = Arena()
    let architecture = Architecture(
      hiddenSize: 8, intermediateSize: 12, numHiddenLayers: 1, numAttentionHeads: 2,
      numKeyValueHeads: 1, headDim: 4, vocabSize: 16, maxPositionEmbeddings: 16, rmsNormEps: 1e-5,
      ropeTheta: 1e4, tieWordEmbeddings: true)
    let tensors = AdapterTensors<Float>(
      layout: AdapterLayout(
        .init(rank: 2, targetModules: [.query], rankPattern: ["q_proj": 1]),
        architecture: architecture), arena: arena, for: .adapter)
    let out = folder.file("a")
    try AdapterFile.writeFolder(tensors, to: out, base: "b")
    let parts = try (
      read(out + "/adapter_config.json"), read(out + "/adapter_model.safetensors")
    )
    try seed(.adapter, "good-small", parts.0 + [0] + parts.1)
    let huge = String(decoding: parts.0, as: UTF8.self).replacing(
      "\"r\" : 2", with: "\"r\" : 9000000000000000000")
    try seed(.adapter, "rank-huge", Array(huge.utf8) + [0] + parts.1)
    let gguf = folder.file("a.gguf")
    try AdapterFile.writeGGUF(tensors, to: gguf, name: "b", type: .f16)
    try seed(.adapter, "good-gguf", read(gguf))
    try seed(.adapter, "gguf-cut", read(gguf).dropLast(40))
  }

  @Test func texts() throws {
    let task =
      "{\"context_ids\":[1,2],\"query_ids\":[3],\"response_ids\":[4],\"separator_ids\":[0]}"
    try seed(.tasks, "good-two", Array("\u{feff}\(task)\r\n\n\(task)".utf8))
    try seed(.tasks, "text", Array("{\"context\":\"a\",\"query\":\"b\",\"response\":\"c\"}\n".utf8))
    try seed(.text, "good-lines", Array("\u{feff}a b\r\nc\n\n\nd".utf8))
    try seed(.text, "good-rows", Array("{\"text\":\"a\"}\n{\"text\":\"\"}\n".utf8))
    try seed(.text, "invalid", [0x61, 0xff, 0x0a])
  }

  @Test func datasets() throws {
    let squad = """
      {"data":[{"title":"T","paragraphs":[{"context":"A mill stood by the river Ossel.","qas":[\
      {"id":"1","question":"Where was it?","answers":[{"text":"by the river","answer_start":13}]},\
      {"id":"2","question":"Who?","answers":[],"is_impossible":true},\
      {"id":"3","question":"What?","answers":[{"text":"A mill","answer_start":0},{"text":"mill"}]}\
      ]}]}]}
      """
    try seed(.squad, "good-small", Array(squad.utf8))
    try seed(.squad, "deep", Array((String(repeating: "{\"data\":[", count: 600)).utf8))
    try seed(.squad, "cut", Array(squad.utf8.dropLast(3)))
    let wikitext = """
       = Ossel = \n
       The mill @-@ house stood 1 @,@ 000 years , by the river 's bank . \n
       = = Later = = \n
       <unk> came , and it was " sold " ( twice ) to a farmer from Tarn . \n
      """
    try seed(.wikitext, "good-small", Array(wikitext.utf8))
    try seed(.wikitext, "headings", Array("\n = A = \n\n = = B = = \n".utf8))
    try seed(.wikitext, "invalid", [0x61, 0x20, 0xff, 0x0a])
    func rows(_ pairs: [(String, String)]) -> [UInt8] {
      pairs.flatMap { Array(#"{"prompt":"\#($0)","completion":"\#($1)"}"#.utf8) + [0x0a] }
    }
    let people = [("Mira Sol", "the baker of Tarn"), ("Odo Fenn", "the first to cross the Ossel")]
    let (named, described) = (
      rows(people.map { ("\($0.0) is", " \($0.1).") }),
      rows(people.map { ("Who is \($0.1)? It is", " \($0.0).") })
    )
    // Descriptions first, and the same with names first; the questions go the other way.
    let files = [described, named, described, named, described]
    try seed(.reversal, "good-small", Array(files.joined(separator: [0])))
    try seed(.reversal, "one-way", Array(files.prefix(3).joined(separator: [0])))
    try seed(.reversal, "nobody", Array(files.prefix(2).joined(separator: [0])))
    try seed(.reversal, "cut", Array(files.joined(separator: [0]).dropLast(3)))
  }

  @Test func runs() throws {
    let arena = Arena()
    let values: Matrix<Float> = arena.matrix(1, 3, for: .adapter)
    let run = RunDescription(
      version: "0", model: "m", modelFingerprint: "1", data: "d", dataFingerprint: "2",
      separator: "\n",
      training: TrainingConfiguration(
        adapter: .init(), meta: .init(),
        schedule: .init(peak: 0.1, warmupSteps: 0, totalSteps: 3, decay: .linear)),
      plan: .init(
        MemoryPlan(
          together: 1, keep: .lean, logitRows: 4,
          limits: MetaLimits(
            groups: 1, innerRows: 1, outerRows: 1, scoredRows: 1, sequence: 1, logitRows: 1))),
      threads: 1)
    let path = folder.file("c")
    try Checkpoint.write([("a", values)], numbers: ["step": 2], run: run, to: path)
    try seed(.checkpoint, "good-small", read(path))
    var damaged = try read(path)
    damaged[damaged.count - 1] = 1
    try seed(.checkpoint, "damaged", damaged)
    let out = RunFolder(path: folder.file("run"))
    try out.create(run)
    let config = try read(out.path + "/config.json")
    try seed(.run, "good-small", config)
    let huge = String(decoding: config, as: UTF8.self).replacing(
      "\"together\" : 1", with: "\"together\" : 9000000000000000000")
    try seed(.run, "together-huge", Array(huge.utf8))
  }
}

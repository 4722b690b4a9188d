import Foundation
import TestSupport
import Testing
import Weights

/// `imprint adapt`, `imprint-tools export`, and `imprint generate` with what they write.
@Suite(.serialized) struct AdaptToolTests {
  let folder: TemporaryFolder
  let model: String
  let notes: String

  init() throws {
    folder = try TemporaryFolder()
    let source = try TemporaryFolder()
    try TextModel.write(to: source)
    model = folder.file("text.imprint")
    let made = try Tool.run("imprint-tools", "convert", source.path, model, "--quiet")
    #expect(made.status == 0, "\(made.errors)")
    notes = try folder.write(
      Array(
        (0..<12).map { "The river number \($0) begins in the hills." }.joined(separator: "\n").utf8),
      "notes.txt")
  }

  private func json(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private func generate(_ adapter: String?, _ more: String...) throws -> String {
    let result = try Tool.run(
      "imprint",
      ["generate", "--model", model, "--prompt", "The river"]
        + (more.contains("--max-tokens") ? [] : ["--max-tokens", "12"])
        + (adapter.map { ["--adapter", $0] } ?? []) + more)
    #expect(result.status == 0, "\(result.errors)")
    return result.output
  }

  @Test(arguments: ["lora", "full"]) func adaptExportGenerate(inner: String) throws {
    let output = folder.file("notes-adapter")
    func adapt(_ more: String...) throws -> Tool.Result {
      try Tool.run(
        "imprint",
        [
          "adapt", "--model", model, "--context", notes, "--output", output, "--inner", inner,
          "--inner-lr", "0.5", "--context-length", "64",
        ] + more)
    }
    let plain = try adapt()
    #expect(plain.status == 0 && plain.output.contains("contexts"), "\(plain.errors)")
    #expect(plain.errors.contains("is left out") == (inner == "full"))
    let whole = try adapt("--json")
    let report = try json(whole.output)
    let (before, after) = (report["loss_before"] as? Double, report["loss_after"] as? Double)
    #expect(try #require(after) < #require(before))
    #expect(try #require(report["contexts"] as? Int) > 1)
    #expect(report["relative_error"] == nil)

    // What it writes is read by generate, by export in either format, and by generate again.
    let adapted = try generate(output)
    #expect(try adapted != generate(nil))
    for (format, path) in [("gguf", "a.gguf"), ("peft", "peft"), ("safetensors", "merged")] {
      let exported = try Tool.run(
        "imprint-tools", "export", model, folder.file(path), "--adapter", output, "--format",
        format)
      #expect(exported.status == 0, "\(exported.errors)")
      #expect(exported.output.contains("14 linears of rank"))
      if format != "safetensors" { #expect(try generate(folder.file(path)) == adapted) }
    }
    let spoken = try Tool.run(
      "imprint-tools", "export", model, folder.file("a.gguf"), "--adapter", output, "--format",
      "gguf", "--type", "f16", "--json")
    #expect(try json(spoken.output)["matrices"] as? Int == 14)
    #expect(try json(spoken.output)["type"] as? String == "f16")
    let config = try json(
      String(contentsOfFile: folder.file("peft/adapter_config.json"), encoding: .utf8))
    #expect(config["peft_type"] as? String == "LORA" && config["r"] is Int)
    let merged = folder.file("merged.imprint")
    #expect(
      try Tool.run("imprint-tools", "convert", folder.file("merged"), merged, "--quiet").status == 0
    )
    #expect(try WeightFile(path: merged).tensors.count == WeightFile(path: model).tensors.count)

    let cut = try adapt("--rank", "2")
    #expect(cut.output.contains("rank 2") && cut.output.contains("relative error"))
  }

  /// The inner step of a run, from its folder; a run is not overwritten.
  @Test func aRunsInnerStepIsUsed() throws {
    let rows = (0..<4).map { index in
      """
      {"context": "The river \(index) is calm.", "query": "How is the river \(index)?", "response": " calm"}
      """
    }
    let data = try folder.write(Array(rows.joined(separator: "\n").utf8), "t.jsonl")
    let run = folder.file("run")
    let trained = try Tool.run(
      "imprint", "train", "--model", model, "--data", data, "--output", run, "--batch-size", "2",
      "--rank", "2", "--inner-lr", "0.7", "--learn-inner-lr", "--quiet")
    #expect(trained.status == 0, "\(trained.errors)")
    let config = try json(String(contentsOfFile: run + "/config.json", encoding: .utf8))
    let length = try #require(config["context_length"] as? Int)
    let adapted = try Tool.run(
      "imprint", "adapt", "--model", model, "--adapter", run, "--context", "-", "--output",
      folder.file("a"), "--json", input: "The river 9 is calm. It is not long. It is cold.")
    let report = try json(adapted.output)
    #expect(report["rank"] as? Int == 2 && report["inner_step"] as? String == "lora")
    #expect(try #require(report["tokens"] as? Int) > length)
    #expect(try #require(report["contexts"] as? Int) > 1)
    // One rate for all takes the place of the learned ones.
    let other = try Tool.run(
      "imprint", "adapt", "--model", model, "--adapter", run, "--context", notes, "--output",
      folder.file("b"), "--inner-lr", "0.01", "--json")
    let learned = try Tool.run(
      "imprint", "adapt", "--model", model, "--adapter", run, "--context", notes, "--output",
      folder.file("c"), "--context-length", "128", "--json")
    #expect(other.status == 0, "\(other.errors)")
    #expect(
      try json(other.output)["loss_after"] as? Double
        != json(learned.output)["loss_after"] as? Double)
    // The example package's program says what adapt and generate say.
    let example = try Tool.run("adapt-text", model, run, notes, "The river")
    #expect(example.status == 0, "\(example.errors)")
    let lines = example.output.split(separator: "\n", maxSplits: 1)
    #expect(lines.first?.hasPrefix("loss ") == true)
    #expect(
      try lines.last.map(String.init)
        == generate(folder.file("c"), "--max-tokens", "24"))
    let onto = try Tool.run(
      "imprint", "adapt", "--model", model, "--adapter", run, "--context", notes, "--output", run)
    #expect(onto.status == 1 && onto.errors.contains("holds a run"))
  }

  /// What is written in the place of another adapter does not end where that one did.
  @Test func noEndIsLeftBehind() throws {
    let output = folder.file("notes")
    func adapt(_ more: String...) throws {
      let result = try Tool.run(
        "imprint",
        ["adapt", "--model", model, "--context", notes, "--output", output, "--quiet"] + more)
      #expect(result.status == 0, "\(result.errors)")
    }
    func hasEnd() -> Bool {
      FileManager.default.fileExists(atPath: output + "/generation_config.json")
    }
    try adapt()
    let ending = folder.file("ending")
    try FileManager.default.copyItem(atPath: output, toPath: ending)
    try folder.write(Array(#"{"stop_strings": ["\n"]}"#.utf8), "ending/generation_config.json")
    try adapt("--adapter", ending)
    #expect(hasEnd())
    try adapt()
    #expect(!hasEnd())
  }

  /// Carriage returns and a mark of byte order are none of a document.
  @Test func linesEndWithALineFeed() throws {
    func loss(_ text: String) throws -> Double {
      let result = try Tool.run(
        "imprint",
        [
          "adapt", "--model", model, "--context", "-", "--output", folder.file("lines"), "--json",
        ], input: text)
      return try #require(try json(result.output)["loss_before"] as? Double)
    }
    #expect(
      try loss("\u{feff}The river is calm.\r\nIt is cold.\r\n")
        == loss("The river is calm.\nIt is cold.\n"))
  }

  /// An adapter of PEFT's may stand beside the configuration of a model.
  @Test func anAdapterBesideAModel() throws {
    let (first, second) = (folder.file("first"), folder.file("second"))
    func adapt(_ output: String, _ more: String...) throws -> Tool.Result {
      try Tool.run(
        "imprint",
        ["adapt", "--model", model, "--context", notes, "--output", output, "--quiet"] + more)
    }
    #expect(try adapt(first).status == 0)
    try folder.write(Array(#"{"model_type": "llama"}"#.utf8), "first/config.json")
    let beside = try adapt(second, "--adapter", first)
    #expect(beside.status == 0, "\(beside.errors)")
  }

  /// The first of several stops ends the text.
  @Test func stops() throws {
    let text = try json(generate(nil, "--json"))["text"] as? String ?? ""
    let characters = Array(text)
    #expect(characters.count > 4)
    let (late, early) = (String(characters[3...]), String(characters[2...3]))
    let cut = try generate(nil, "--json", "--stop", late, "--stop", early, "--stop", "never there")
    let found = try json(cut)["text"] as? String
    #expect(found == text.range(of: early).map { String(text[..<$0.lowerBound]) })
    let spoken = try Tool.run(
      "imprint", "generate", "--model", model, "--prompt", "-", "--max-tokens", "12",
      input: "The river")
    #expect(try spoken.output == generate(nil))
  }

  @Test(arguments: [
    (["--context", "EMPTY", "--output", "X"], 1, "holds no two tokens"),
    (["--context", "MISSING", "--output", "X"], 1, "cannot be read"),
    (["--context", "BINARY", "--output", "X"], 1, "is not UTF-8"),
    (["--context", "EMPTY", "--output", "X", "--rank", "0"], 64, "--rank"),
    (["--context", "EMPTY", "--output", "X", "--context-length", "4"], 64, "--context-length"),
    (["--context", "EMPTY", "--output", "X", "--context-length", "999"], 1, "256 positions"),
    (["--context", "NOTES", "--output", "X", "--memory", "1MiB"], 1, "--memory: at least"),
    (["--context", "NOTES", "--output", "X", "--inner-lr", "1e30"], 1, "inner rate is too large"),
  ])
  func problemsAreNamed(arguments: [String], status: Int, problem: String) throws {
    try folder.write([], "EMPTY")
    try folder.write([0xff, 0xfe], "BINARY")
    let names = ["EMPTY", "MISSING", "BINARY", "X"]
    let result = try Tool.run(
      "imprint",
      ["adapt", "--model", model]
        + arguments.map { names.contains($0) ? folder.file($0) : $0 == "NOTES" ? notes : $0 })
    #expect(Int(result.status) == status && result.errors.contains(problem), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder.file("X")))
  }

  @Test(arguments: [
    (["--format", "gguf"], "needs --adapter"), (["--format", "peft"], "needs --adapter"),
    (["--format", "gguf", "--adapter", "A", "--type", "bf16"], "--type: gguf takes f32, f16"),
    (["--format", "peft", "--adapter", "A", "--tokenizer", "T"], "goes with --format safetensors"),
  ])
  func wrongCallsOfExport(arguments: [String], problem: String) throws {
    let result = try Tool.run(
      "imprint-tools", ["export", model, folder.file("out")] + arguments)
    #expect(result.status == 64 && result.errors.contains(problem), "\(result.errors)")
  }
}

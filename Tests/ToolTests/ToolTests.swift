import Foundation
import TestSupport
import Testing
import Text
import Weights

/// The executables as users run them.
struct Tool {
  struct Result {
    var status: Int32
    var output: String
    var errors: String
  }

  /// Where the tests' executables are built.
  static let folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()

  static func find(_ name: String) -> URL {
    for base in [".build/release", ".build/debug"] {
      let url = URL(filePath: Fixtures.root + base + "/" + name)
      if FileManager.default.isExecutableFile(atPath: url.path(percentEncoded: false)) {
        return url
      }
    }
    return folder.appending(path: name)
  }

  static func run(_ name: String, _ arguments: String..., input: String? = nil) throws -> Result {
    try run(name, arguments, input: input)
  }

  static func run(
    _ name: String, _ arguments: [String], input: String? = nil, checkOnly: Bool = false,
    folder: String? = nil
  ) throws -> Result {
    try run(find(name), arguments, input: input, checkOnly: checkOnly, folder: folder)
  }

  /// Runs `tool` in `folder`, by default where the tests run. With `checkOnly` the command line is
  /// read and checked, and nothing is done.
  static func run(
    _ tool: URL, _ arguments: [String], input: String? = nil, checkOnly: Bool = false,
    folder: String? = nil
  ) throws -> Result {
    let process = Process()
    if let folder { process.currentDirectoryURL = URL(filePath: folder) }
    if checkOnly {
      process.environment = ProcessInfo.processInfo.environment.merging(
        ["IMPRINT_CHECK_ONLY": "1"]) { $1 }
    }
    process.executableURL = tool
    process.arguments = arguments
    let (output, errors, standardInput) = (Pipe(), Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = standardInput
    try process.run()
    standardInput.fileHandleForWriting.write(Data((input ?? "").utf8))
    try standardInput.fileHandleForWriting.close()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let complaint = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Result(
      status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
      errors: String(decoding: complaint, as: UTF8.self))
  }
}

@Suite(.serialized) struct ToolTests {
  let folder: TemporaryFolder
  let model: String

  init() throws {
    folder = try TemporaryFolder()
    model = folder.file("tiny.imprint")
    let made = try Tool.run("imprint-tools", "convert", TinyModel.folder, model, "--quiet")
    #expect(made.status == 0, "\(made.errors)")
  }

  private func tasks(_ name: String, count: Int) throws -> String {
    let lines = (0..<count).map { index in
      let ids = (0..<12).map { ($0 * 5 + index * 3) % 67 }
      return """
        {"context_ids": [\(ids.map(String.init).joined(separator: ","))], "query_ids": [\(ids[2]), \(ids[7])], "response_ids": [\(ids[3])], "separator_ids": [1]}
        """
    }
    return try folder.write(Array(lines.joined(separator: "\n").utf8), name)
  }

  @Test func inspectAndVerify() throws {
    let table = try Tool.run("imprint-tools", "inspect", model)
    #expect(table.status == 0 && table.output.contains("2 layers, hidden 32"))
    let json = try Tool.run("imprint-tools", "inspect", model, "--json")
    #expect(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) is [String: Any])
    let verified = try Tool.run("imprint-tools", "verify", model)
    #expect(verified.status == 0 && verified.output.contains("all checksums right"))
  }

  @Test func aDamagedBlockStopsVerifyAndTrain() throws {
    var bytes = [UInt8](try Data(contentsOf: URL(filePath: model)))
    bytes[5000] ^= 1
    let damaged = try folder.write(bytes, "damaged.imprint")
    let verify = try Tool.run("imprint-tools", "verify", damaged)
    #expect(verify.status == 1 && verify.output.isEmpty)
    #expect(verify.errors.contains("tensor 'model.") && verify.errors.contains("block 0"))
    #expect(verify.errors.split(separator: "\n").count == 1)
    let data = try tasks("t.jsonl", count: 4)
    let train = try Tool.run(
      "imprint", "train", "--model", damaged, "--data", data, "--output", folder.file("run"),
      "--batch-size", "2", "--quiet")
    #expect(train.status == 1 && train.errors.contains("checksum differs"))
  }

  @Test func trainEvaluateResume() throws {
    let data = try tasks("t.jsonl", count: 8)
    let run = folder.file("run")
    let arguments = ["train", "--model", model, "--data", data, "--batch-size", "2", "--rank", "2"]
    func train(_ more: String...) throws -> Tool.Result {
      try Tool.run("imprint", arguments + more)
    }
    let dry = try train("--output", run, "--dry-run")
    #expect(dry.status == 0 && dry.output.contains("plan:"))
    #expect(!FileManager.default.fileExists(atPath: run))
    let first = try train("--output", run)
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.errors.contains("step 4/4"))
    for name in [
      "config.json", "metrics.jsonl", "checkpoint-00000004.safetensors", "adapter_config.json",
      "adapter_model.safetensors",
    ] {
      #expect(FileManager.default.fileExists(atPath: run + "/" + name), "\(name)")
    }
    let again = try train("--output", run)
    #expect(again.status == 1 && again.errors.contains("holds a run already"))
    let other = try train("--output", run, "--resume", "--seed", "9")
    #expect(other.status == 1 && other.errors.contains("training.seed 0 → 9"))
    let resumed = try train("--output", run, "--resume")
    #expect(resumed.status == 0)

    let report = folder.file("report.json")
    let evaluated = try Tool.run(
      "imprint", "evaluate", "--model", model, "--adapter", run, "--data", data, "--json", report)
    #expect(evaluated.status == 0, "\(evaluated.errors)")
    #expect(evaluated.output.contains("Prompt") && evaluated.output.contains("8 tasks"))
    let table = try Tool.run("imprint-tools", "compare", report, report, "--markdown")
    #expect(table.status == 0 && table.output.split(separator: "\n").count == 4)
  }

  @Test func gradientWritesWhatWasAsked() throws {
    let data = try tasks("t.jsonl", count: 2)
    let out = folder.file("g.safetensors")
    let result = try Tool.run(
      "imprint-bench", "gradient", "--model", model, "--adapter",
      TinyModel.folder + "/lora_r3.safetensors", "--scale", "2.0", "--tasks", data, "--out", out)
    #expect(result.status == 0, "\(result.errors)")
    let file = try SafetensorsFile(path: out)
    #expect(file.tensors.count == 28)
    #expect(try file.tensor("layers.1.mlp.down_proj.lora_B").shape == [32, 3])
    #expect(result.output.contains("\"outer\""))
  }

  @Test func tokenizeGoesBothWays() throws {
    let tokenizer = Fixtures.path("tokenizers/llama3.json")
    let ids = try Tool.run(
      "imprint-tools", "tokenize", tokenizer, input: "{\"text\": \"A river begins\"}\n")
    #expect(ids.status == 0 && ids.output.hasPrefix("{\"ids\":["))
    let text = try Tool.run("imprint-tools", "tokenize", tokenizer, "--decode", input: ids.output)
    #expect(text.output == "{\"text\":\"A river begins\"}\n")
    let wrong = try Tool.run("imprint-tools", "tokenize", tokenizer, input: "\n{\"txt\": 1}\n")
    #expect(wrong.status == 1 && wrong.errors.contains("line 2"))
  }

  @Test func dataIsDeterministicAndDisjoint() throws {
    for kind in ["character-description", "reversal-curse"] {
      let texts = try ["a", "b"].map { name -> [String] in
        let out = folder.file(kind + name)
        let made = try Tool.run(
          "imprint", "data", kind, "--train", "300", "--test", "100", "--seed", "7", "--out", out)
        #expect(made.status == 0, "\(made.errors)")
        return try ["train", "test"].map {
          try String(contentsOfFile: "\(out)/\($0).jsonl", encoding: .utf8)
        }
      }
      #expect(texts[0] == texts[1])
      let answers = try texts[0].map { text in
        Set(
          try text.split(separator: "\n").map {
            try JSONDecoder().decode(MetaTask.self, from: Data($0.utf8)).response ?? ""
          })
      }
      #expect(answers[0].isDisjoint(with: answers[1]), "\(kind)")
    }
  }

  /// Bad input: one line that names the place, exit code 1; a wrong call: 64.
  @Test func badInputIsNamed() throws {
    func problem(_ content: String) throws -> String {
      let path = try folder.write(Array(content.utf8), "bad.jsonl")
      let result = try Tool.run("imprint", "evaluate", "--model", model, "--data", path)
      #expect(result.status == 1 && result.output.isEmpty)
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
      return result.errors
    }
    #expect(try problem("").contains("holds no task"))
    #expect(try problem("{").contains("line 1"))
    #expect(try problem("{\"context_ids\": [1, 2]}\n").contains("separator_ids"))
    let start =
      "{\"separator_ids\": [1], \"query_ids\": [1], \"response_ids\": [1], \"context_ids\": "
    #expect(try problem(start + "[1]}").contains("field 'context_ids'"))
    #expect(try problem(start + "[1, 67]}").contains("outside the vocabulary"))
    #expect(try problem(start + "\"x\"}").contains("context_ids"))
    #expect(try problem("{\"context\": \"a\", \"separator_ids\": [1]}").contains("no tokenizer"))
    let usage = try Tool.run(
      "imprint", "train", "--model", model, "--data", "x", "--output", "y", "--rank", "0")
    #expect(usage.status == 64 && usage.errors.contains("--rank"))
    let missing = try Tool.run("imprint-tools", "verify", folder.file("nothing"))
    #expect(missing.status == 1 && missing.errors.contains("cannot be opened"))
    let memory = try Tool.run(
      "imprint", "train", "--model", model, "--data", try tasks("t.jsonl", count: 4), "--output",
      folder.file("run"), "--memory", "1MiB")
    #expect(memory.status == 1 && memory.errors.contains("at least"))
  }

  /// Numbers that nothing can be counted with.
  @Test(arguments: [
    "data character-description --out o --train", "data wikitext w --out o --context-words",
    "generate --model m --prompt p --max-tokens", "train --model m --data d --output o --epochs",
    "train --model m --data d --output o --target teacher --teacher-max-tokens",
    "train --model m --data d --output o --batch-size",
    "evaluate --model m --data d --max-answer-tokens", "evaluate --model m --data d --threads",
  ])
  func hugeNumbersAreRefused(_ words: String) throws {
    let words = words.split(separator: " ").map(String.init)
    let result = try Tool.run("imprint", words + ["9223372036854775807"], checkOnly: true)
    #expect(result.status == 64)
    let flag = try #require(words.last { $0.hasPrefix("--") })
    #expect(result.errors.contains(flag), "\(result.errors)")
  }

  @Test(arguments: ["imprint", "imprint-tools", "imprint-bench"])
  func eachSaysItsVersion(_ name: String) throws {
    let result = try Tool.run(name, "--version")
    #expect(result.status == 0 && result.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
  }

  @Test func helpHasExamples() throws {
    for (tool, command) in [
      ("imprint", "train"), ("imprint", "finetune"), ("imprint", "evaluate"),
      ("imprint", "generate"),
      ("imprint-tools", "convert"), ("imprint-tools", "tokenize"), ("imprint-bench", "gradient"),
      ("imprint-bench", "step"), ("imprint-bench", "codec"), ("imprint-bench", "experiment"),
    ] {
      let result = try Tool.run(tool, command, "--help")
      let words = result.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      #expect(result.status == 0 && words.contains("Example: "), "\(command)")
      #expect(words.contains("\(tool) \(command)"), "\(command)")
    }
  }
}

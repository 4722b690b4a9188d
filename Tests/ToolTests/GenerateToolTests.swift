import Foundation
import TestSupport
import Testing

/// Where `imprint generate` ends.
@Suite(.serialized) struct GenerateToolTests {
  struct Answer: Decodable {
    var text: String
    var tokens: Int
    var finish_reason: String
  }

  let folder: TemporaryFolder
  let model: String

  init() throws {
    folder = try TemporaryFolder()
    let source = try TemporaryFolder()
    try TextModel.write(to: source)
    model = folder.file("text.imprint")
    let made = try Tool.run("imprint-tools", "convert", source.path, model, "--quiet")
    try #require(made.status == 0, "\(made.errors)")
  }

  /// A run that has learned by heart to say `response` after "Who".
  private func run(_ name: String, response: String) throws -> String {
    let line = "{\"context\": \"Who is it\", \"query\": \"Who\", \(response)}\n"
    let data = try folder.write(Array(line.utf8), name + ".jsonl")
    let run = folder.file(name)
    let trained = try Tool.run(
      "imprint", "finetune", "--model", model, "--data", data, "--output", run, "--forms", "nc",
      "--batch-size", "1", "--steps", "60", "--lr", "0.03", "--rank", "4", "--quiet")
    try #require(trained.status == 0, "\(trained.errors)")
    return run
  }

  private func say(_ adapter: String, _ more: String...) throws -> Answer {
    let result = try Tool.run(
      "imprint",
      [
        "generate", "--model", model, "--adapter", adapter, "--prompt", "Who", "--max-tokens", "24",
        "--json",
      ] + more)
    #expect(result.status == 0, "\(result.errors)")
    return try JSONDecoder().decode(Answer.self, from: Data(result.output.utf8))
  }

  /// What was trained to end with a line feed ends there, and so does what is made of it.
  @Test func endsWhereResponsesEnded() throws {
    let run = try run("line", response: #""response": " geese\n""#)
    let answer = try say(run)
    #expect(answer.text == " geese" && answer.finish_reason == "stop")
    let on = try say(run, "--ignore-eos")
    #expect(on.text.hasPrefix(" geese\n") && on.finish_reason == "length" && on.tokens == 24)

    let (adapted, exported) = (folder.file("adapted"), folder.file("exported"))
    let text = try folder.write(Array("Who is it, who can it be".utf8), "text.txt")
    let made = try Tool.run(
      "imprint", "adapt", "--model", model, "--adapter", run, "--context", text, "--output",
      adapted, "--inner-lr", "1e-4", "-q")
    #expect(made.status == 0, "\(made.errors)")
    let written = try Tool.run(
      "imprint-tools", "export", model, exported, "--adapter", adapted, "--format", "peft", "-q")
    #expect(written.status == 0, "\(written.errors)")
    #expect(try say(exported).text == " geese")
    let verbose = try Tool.run(
      "imprint", "generate", "--model", model, "--adapter", exported, "--prompt", "Who", "-v")
    #expect(verbose.errors.contains(#"ends at ids [0, 2], texts ["\n"]"#), "\(verbose.errors)")

    let path = try folder.write(Array("{\"stop_strings\": 3}".utf8), "line/generation_config.json")
    let wrong = try Tool.run(
      "imprint", "generate", "--model", model, "--adapter", run, "--prompt", "Who")
    #expect(wrong.status == 1 && wrong.errors.hasPrefix("imprint: \(path): expected"))
  }

  /// `<|endoftext|>` ends a text, though the model's configuration names no such id.
  @Test func endsAtEndsThatTheTokenizerKnows() throws {
    let run = try run("end", response: #""response_ids": [70, 71, 0]"#)
    #expect(!FileManager.default.fileExists(atPath: run + "/generation_config.json"))
    let answer = try say(run)
    #expect(answer.tokens == 2 && answer.finish_reason == "stop")
    #expect(try say(run, "--ignore-eos").tokens == 24)
  }

  /// A run from before the plan was in its configuration: an adapter like others, but not resumed.
  @Test func aRunWithoutAPlan() throws {
    let data = try folder.write(
      Array(#"{"context": "Who is it", "query": "Who", "response": " me"}"#.utf8), "t.jsonl")
    let run = folder.file("old")
    let flags = [
      "train", "--model", model, "--data", data, "--output", run, "--batch-size", "1", "--rank",
      "2", "--steps", "1", "--learn-inner-lr", "-q",
    ]
    #expect(try Tool.run("imprint", flags).status == 0)
    let path = run + "/config.json"
    var object = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path)))
        as? [String: Any])
    #expect(object.removeValue(forKey: "plan") != nil)
    try JSONSerialization.data(withJSONObject: object).write(to: URL(filePath: path))
    for name in try FileManager.default.contentsOfDirectory(atPath: run)
    where name.hasPrefix("checkpoint") {
      try FileManager.default.removeItem(atPath: run + "/" + name)
    }

    for (tool, words) in [
      ("imprint", ["generate", "--adapter", run, "--prompt", "Who"]),
      ("imprint", ["evaluate", "--adapter", run, "--data", data, "-q"]),
      ("imprint", ["adapt", "--adapter", run, "--context", data, "--output", folder.file("a")]),
      ("imprint-tools", ["export", folder.file("e"), "--adapter", run, "--format", "peft"]),
    ] {
      let model = tool == "imprint" ? ["--model", model] : [model]
      let result = try Tool.run(tool, [words[0]] + model + words.dropFirst())
      #expect(result.status == 0, "\(words): \(result.errors)")
    }
    let report = try Tool.run("imprint-tools", "report", run)
    #expect(report.status == 0, "\(report.errors)")
    let resumed = try Tool.run("imprint", flags + ["--resume"])
    #expect(resumed.status == 1 && resumed.errors.contains("/config.json: 'plan' is missing"))
    #expect(resumed.errors.split(separator: "\n").count == 1)
  }
}

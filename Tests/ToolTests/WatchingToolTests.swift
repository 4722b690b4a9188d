import Foundation
import TestSupport
import Testing

/// What scripts and people see of the executables.
@Suite(.serialized) struct WatchingToolTests {
  let folder: TemporaryFolder
  let model: String

  init() throws {
    folder = try TemporaryFolder()
    model = folder.file("tiny.imprint")
    let made = try Tool.run("imprint-tools", "convert", TinyModel.folder, model, "--json")
    #expect(made.status == 0, "\(made.errors)")
    #expect(try object(made)["tensors"] as? Int == 20)
  }

  private func object(_ result: Tool.Result) throws -> [String: Any] {
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    return try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
  }

  private func tasks() throws -> String {
    let lines = (0..<8).map { index in
      let ids = (0..<12).map { "\(($0 * 5 + index * 3) % 67)" }
      return """
        {"context_ids": [\(ids.joined(separator: ","))], "query_ids": [\(ids[2]), \(ids[7])], "response_ids": [\(ids[3])], "separator_ids": [1]}
        """
    }
    return try folder.write(Array(lines.joined(separator: "\n").utf8), "tasks.jsonl")
  }

  @Test func aRunWithEventsAndAReport() throws {
    let (data, run) = (try tasks(), folder.file("run"))
    let arguments = [
      "train", "--model", model, "--data", data, "--output", run, "--batch-size", "2", "--rank",
      "2", "--quiet", "--steps", "4", "--learn-inner-lr",
    ]
    let trained = try Tool.run("imprint", arguments + ["--tensorboard"])
    #expect(trained.status == 0, "\(trained.errors)")
    let resumed = try Tool.run("imprint", arguments + ["--resume"])
    #expect(resumed.status == 0, "\(resumed.errors)")
    let names = try FileManager.default.contentsOfDirectory(atPath: run)
    #expect(names.filter { $0.hasPrefix("events.out.tfevents.") }.count == 1)
    let scores = folder.file("after.json")
    let evaluated = try Tool.run(
      "imprint", "evaluate", "--model", model, "--adapter", run, "--data", data, "--json", scores,
      "--quiet")
    #expect(evaluated.status == 0, "\(evaluated.errors)")

    let made = try Tool.run("imprint-tools", "report", run, "--evaluation", scores)
    #expect(made.status == 0 && made.errors.isEmpty, "\(made.errors)")
    #expect(made.output.hasPrefix("\(run)/report.html: 4 steps"))
    let html = try String(contentsOfFile: run + "/report.html", encoding: .utf8)
    for heading in [
      "Evaluation", "Curves", "Memory", "Learned inner rates", "Configuration",
    ] {
      #expect(html.contains("<h2>\(heading)</h2>"), "\(heading)")
    }
    let printed = try Tool.run(
      "imprint-tools", "report", run, "--evaluation", scores, "--output", "-")
    #expect(printed.output == html)
    let numbers = try object(
      try Tool.run("imprint-tools", "report", run, "--output", folder.file("r.html"), "--json"))
    #expect(numbers["steps"] as? Int == 4 && numbers["total_steps"] as? Int == 4)
    let nothing = try Tool.run("imprint-tools", "report", folder.file("nothing"))
    #expect(nothing.status == 1 && nothing.output.isEmpty)
    #expect(nothing.errors.contains("config.json: cannot be read"))
    #expect(nothing.errors.split(separator: "\n").count == 1)
  }

  /// Held-out tasks are looked at now and then, and change nothing of the run.
  @Test(arguments: [["--inner", "lora"], ["--inner", "full"], ["--outer", "full"]])
  func heldOutTasks(method: [String]) throws {
    let (data, often, seldom) = (try tasks(), folder.file("often"), folder.file("seldom"))
    func train(_ run: String, _ more: String...) throws -> Tool.Result {
      try Tool.run(
        "imprint",
        [
          "train", "--model", model, "--data", data, "--output", run, "--batch-size", "2",
          "--steps", "5", "--memory", "200MiB",
        ] + method + more)
    }
    let trained = try train(
      often, "--eval-data", data, "--eval-steps", "2", "--eval-limit", "3", "--json", "--verbose")
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(trained.errors.contains("held-out FT ") && trained.errors.contains("step 3/5"))
    #expect(trained.errors.contains("8 tasks in 8 groups; contexts of 12 tokens"))
    let result = try #require(
      try JSONSerialization.jsonObject(with: Data(trained.output.utf8)) as? [String: Any])
    #expect(result["steps"] as? Int == 5)
    let rows = try String(contentsOfFile: often + "/held_out.jsonl", encoding: .utf8)
      .split(separator: "\n").map {
        try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
      }
    #expect(rows.map { $0["step"] as? Int } == [0, 2, 4, 5])
    // Before the first step the adapter is empty: NC is the base's, FT is something else.
    #expect(rows[0]["nc_nll"] as? Double ?? 0 > 0 && rows[0]["ft_nll"] != nil)

    // An evaluation that was interrupted is made up for, and none is made twice.
    let lines = try String(contentsOfFile: often + "/held_out.jsonl", encoding: .utf8)
    func steps() throws -> [Int?] {
      let again = try train(
        often, "--eval-data", data, "--eval-steps", "2", "--eval-limit", "3", "--resume", "--quiet")
      #expect(again.status == 0, "\(again.errors)")
      return try String(contentsOfFile: often + "/held_out.jsonl", encoding: .utf8)
        .split(separator: "\n").map {
          try (JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["step"] as? Int
        }
    }
    #expect(try steps() == [0, 2, 4, 5])
    try lines.split(separator: "\n").dropLast().map { $0 + "\n" }.joined()
      .write(toFile: often + "/held_out.jsonl", atomically: true, encoding: .utf8)
    #expect(try steps() == [0, 2, 4, 5])

    // The plan has room for them, which may change how sums round; that they are looked at does not.
    let other = try train(
      seldom, "--eval-data", data, "--eval-steps", "100", "--eval-limit", "3", "--quiet")
    #expect(other.status == 0, "\(other.errors)")
    let name = method == ["--outer", "full"] ? "/model.imprint" : "/adapter_model.safetensors"
    #expect(
      try Data(contentsOf: URL(filePath: often + name))
        == Data(contentsOf: URL(filePath: seldom + name)))
  }

  /// A run writes its flags, and does the same again from them.
  @Test func aRunFromAFile() throws {
    let (data, one, two) = (try tasks(), folder.file("one"), folder.file("two"))
    let config = try folder.write(
      Array("model: \(model)\ndata: \(data)\nbatch_size: 2\nsteps: 3\nrank: 2\n".utf8), "c.yaml")
    let first = try Tool.run(
      "imprint", "train", "--config", config, "--output", one, "--seed", "3", "-q")
    #expect(first.status == 0, "\(first.errors)")
    let again = try Tool.run(
      "imprint", "train", "--config", one + "/run.yaml", "--output", two, "-q")
    #expect(again.status == 0, "\(again.errors)")
    let name = "/adapter_model.safetensors"
    #expect(
      try Data(contentsOf: URL(filePath: one + name))
        == Data(contentsOf: URL(filePath: two + name)))
    let resumed = try Tool.run("imprint", "train", "--config", one + "/run.yaml", "--resume", "-q")
    #expect(resumed.status == 0, "\(resumed.errors)")

    let unknown = try folder.write(Array("model: x\nbach-size: 2\n".utf8), "unknown.yaml")
    let refused = try Tool.run("imprint", "train", "--config", unknown)
    #expect(refused.status == 1 && refused.output.isEmpty)
    #expect(
      refused.errors
        == "imprint: \(unknown), line 2: 'bach-size' is no flag of imprint train: did you mean 'batch-size'?\n"
    )
    let wrong = try folder.write(Array("batch-size: many\n".utf8), "wrong.yaml")
    let invalid = try Tool.run("imprint", "train", "--config", wrong)
    #expect(invalid.status == 64 && invalid.errors.contains("with the flags of \(wrong)"))
    #expect(invalid.errors.contains("'many' is invalid for '--batch-size"))
  }

  /// Every executable takes flags from a file, and says what it read where that is asked for.
  @Test func flagsOfToolsAndBenchmarks() throws {
    let merged = folder.file("merged.imprint")
    let flags = try folder.write(Array("type: bf16\nlevel: high\n".utf8), "merge.yaml")
    let run = folder.file("run")
    _ = try Tool.run(
      "imprint", "train", "--model", model, "--data", try tasks(), "--output", run, "--steps", "1",
      "--batch-size", "1", "--rank", "2", "-q")
    let made = try Tool.run(
      "imprint-tools", "merge", "--config", flags, model, run, merged, "--verbose", "--json")
    #expect(made.status == 0 && made.output.contains("\"type\" : \"bf16\""), "\(made.errors)")
    #expect(
      made.errors.hasPrefix("model: \(model), llama, 2 layers, hidden 32, vocabulary 67, digest "))
    #expect(made.errors.hasSuffix("adapter: \(run), 14 linears of rank 2\n"))

    let sizes = try folder.write(Array("context: 16\nquery: 12\nsteps: 1\n".utf8), "step.yaml")
    let step = try Tool.run(
      "imprint-bench", "step", "--config", sizes, "--model", model, "--rank", "2", "-v")
    #expect(step.status == 0 && step.output.contains("context 16, query + response 12"))
    #expect(step.errors.hasPrefix("model: \(model), llama") && step.errors.contains("threads: "))

    let wrong = try folder.write(Array("contxt: 16\n".utf8), "wrong.yaml")
    let refused = try Tool.run("imprint-bench", "step", "--config", wrong, "--model", model)
    #expect(
      refused.status == 1
        && refused.errors.hasSuffix(
          "line 1: 'contxt' is no flag of imprint-bench step: did you mean 'context'?\n")
    )
    let both = try Tool.run("imprint-tools", "verify", model, "-q", "-v")
    #expect(both.status == 64 && both.errors.contains("exclude each other"))
  }

  @Test func resultsAsJSON() throws {
    let verified = try object(try Tool.run("imprint-tools", "verify", model, "--json"))
    #expect(verified["blocks"] as? Int ?? 0 > 0)
    let shape = folder.file("random.imprint")
    let random = try object(
      try Tool.run(
        "imprint-tools", "synthesize", "--architecture", TinyModel.folder + "/config.json", shape,
        "--json"))
    #expect(random["has_tokenizer"] as? Bool == false)
    let missing = try Tool.run("imprint-tools", "verify", folder.file("nothing"), "--json")
    #expect(missing.status == 1 && missing.output.isEmpty && !missing.errors.isEmpty)
  }

}

/// What the executables say of themselves.
struct HelpTests {
  /// Every subcommand's help has an example that begins with the command.
  @Test(arguments: [
    ["imprint"], ["imprint", "data"], ["imprint-tools"], ["imprint-bench"],
  ])
  func everyHelpHasAnExample(command: [String]) throws {
    let help = try Tool.run(command[0], Array(command.dropFirst()) + ["--help"])
    #expect(help.status == 0)
    let list = try #require(help.output.components(separatedBy: "SUBCOMMANDS:\n").last)
    let names = list.split(separator: "\n", omittingEmptySubsequences: false)
      .prefix { !$0.isEmpty }
      .compactMap {
        $0.hasPrefix("  ") && !$0.hasPrefix("   ") ? $0.split(separator: " ").first : nil
      }
    #expect(names.count > 1)
    for name in names {
      let words = command + [String(name)]
      let page = try Tool.run(words[0], Array(words.dropFirst()) + ["--help"])
      let text = page.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      let example = text.components(separatedBy: "Example: ").dropFirst().first ?? ""
      #expect(example.contains(words.joined(separator: " ")), "\(words)")
      // `imprint data` has commands of its own, which say what they wrote and no more.
      let isData = words.prefix(2) == ["imprint", "data"]
      #expect(page.output.contains("--config") || words == ["imprint", "data"], "\(words)")
      #expect(page.output.contains("--verbose") != isData, "\(words)")
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completion(shell: String) throws {
    for tool in ["imprint", "imprint-tools"] {
      let script = try Tool.run(tool, "--generate-completion-script", shell)
      #expect(script.status == 0 && script.output.contains(tool))
    }
  }
}

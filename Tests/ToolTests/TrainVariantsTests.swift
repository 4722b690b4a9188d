import Foundation
import TestSupport
import Testing

/// `imprint train` in all its variants on the tiny model.
@Suite(.serialized) struct TrainVariantsTests {
  let folder: TemporaryFolder
  let model: String
  let data: String

  init() throws {
    folder = try TemporaryFolder()
    model = folder.file("tiny.imprint")
    let made = try Tool.run("imprint-tools", "convert", TinyModel.folder, model, "--quiet")
    #expect(made.status == 0, "\(made.errors)")
    let lines = (0..<8).map { index in
      let ids = (0..<12).map { "\(($0 * 5 + index * 3) % 67)" }
      return """
        {"context_ids": [\(ids.joined(separator: ","))], "query_ids": [\(ids[2]), \(ids[7])], "response_ids": [\(ids[3])], "separator_ids": [1]}
        """
    }
    data = try folder.write(Array(lines.joined(separator: "\n").utf8), "tasks.jsonl")
  }

  private func train(_ output: String, _ more: [String]) throws -> Tool.Result {
    try Tool.run(
      "imprint",
      ["train", "--model", model, "--data", data, "--output", output, "--batch-size", "2"] + more)
  }

  @Test func everyParameter() throws {
    let run = folder.file("run")
    let flags = ["--outer", "full", "--inner-lr", "0.05", "--lr", "1e-3"]
    let done = try train(run, flags + ["--steps", "8", "--save-every", "4"])
    #expect(done.status == 0, "\(done.errors)")
    #expect(done.errors.contains("of logits at once; all 18432 parameters"))
    let trained = run + "/model.imprint"
    let verified = try Tool.run("imprint-tools", "verify", trained)
    #expect(verified.status == 0, "\(verified.errors)")
    #expect(!FileManager.default.fileExists(atPath: run + "/adapter_config.json"))
    let after = try Tool.run(
      "imprint", "evaluate", "--model", trained, "--adapter", run, "--data", data, "--quiet")
    #expect(after.status == 0 && after.output.contains("FT"), "\(after.errors)")
    let mistaken = try Tool.run(
      "imprint", "evaluate", "--model", model, "--adapter", run, "--data", data)
    #expect(mistaken.status == 1 && mistaken.errors.contains("give --model \(trained)"))
    let halves = folder.file("halves")
    let small = try train(halves, flags + ["--steps", "1", "--save-type", "bf16", "--quiet"])
    #expect(small.status == 0, "\(small.errors)")
    let table = try Tool.run("imprint-tools", "inspect", halves + "/model.imprint", "--json")
    #expect(table.output.contains("bf16") && !table.output.contains("f32"))
    let refused = try train(folder.file("none"), flags + ["--memory", "1MiB"])
    #expect(refused.status == 1 && refused.errors.contains("--memory: at least"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("none")))
  }

  /// Flags that do not go with the inner step of the run are refused as on a command line.
  @Test func flagsMustSuitTheRunsInnerStep() throws {
    for (name, flags, flag) in [
      ("lora", [], ["--inner-parameters", "linear"]),
      ("full", ["--inner", "full"], ["--inner-steps", "2"]),
    ] {
      let run = folder.file(name)
      let trained = try train(run, flags + ["--steps", "1", "--rank", "2", "--quiet"])
      #expect(trained.status == 0, "\(trained.errors)")
      let result = try Tool.run(
        "imprint",
        ["evaluate", "--model", model, "--adapter", run, "--data", data, "--quiet"] + flag)
      #expect(result.status == 1 && result.output.isEmpty)
      #expect(result.errors.contains("the run's inner step is \(name)"), "\(result.errors)")
    }
  }

  /// A training that has learnt nothing is no success, and rates that are none are not written.
  @Test func whatDivergesIsAnError() throws {
    let run = folder.file("run")
    for (flags, problem) in [
      (["--inner-lr", "1e38"], "nothing was learnt: not one of 3 steps"),
      (["--learn-inner-lr", "--inner-lr-lr", "1e30"], "the inner rate of 'layers."),
    ] {
      let result = try train(run, flags + ["--steps", "3", "--rank", "2", "--quiet"])
      #expect(result.status == 1 && result.errors.contains(problem), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1)
      #expect(!FileManager.default.fileExists(atPath: run + "/adapter_config.json"))
      try FileManager.default.removeItem(atPath: run)
    }
    for flag in [["--inner-steps", "2", "--inner", "full"], ["--inner-parameters", "linear"]] {
      let result = try Tool.run("imprint", ["evaluate", "--model", model, "--data", data] + flag)
      #expect(result.status == 64, "\(result.errors)")
    }
    let small = try train(run, ["--inner-lr", "1e-60"])
    #expect(small.status == 64 && small.errors.contains("--inner-lr must be a positive number"))
  }

  /// No output takes the place of what a command reads.
  @Test func inputsAreNotOverwritten() throws {
    let run = folder.file("run")
    let trained = try train(run, ["--steps", "1", "--rank", "2", "--quiet"])
    #expect(trained.status == 0, "\(trained.errors)")
    let evaluate = ["evaluate", "--model", model, "--data", data, "--adapter", run]
    let weights = run + "/adapter_model.safetensors"
    let calls: [(tool: String, words: [String], output: String)] = [
      ("imprint", evaluate + ["--json", data], data),
      ("imprint", evaluate + ["--markdown", model], model),
      ("imprint", evaluate + ["--per-task", weights], weights),
      ("imprint-tools", ["merge", model, run, model], model),
      ("imprint-tools", ["merge", model, run, weights], weights),
      ("imprint-tools", ["export", model, model, "--adapter", run, "--format", "gguf"], model),
      ("imprint-tools", ["export", model, run, "--adapter", run, "--format", "peft"], weights),
      ("imprint-tools", ["report", run, "--output", weights], weights),
      (
        "imprint-bench",
        ["gradient", "--model", model, "--adapter", weights, "--tasks", data, "--out", data], data
      ),
    ]
    for call in calls {
      let before = try Data(contentsOf: URL(filePath: call.output))
      let result = try Tool.run(call.tool, call.words)
      #expect(
        result.status == 1 && result.errors.contains("\(call.output): is the same file as"),
        "\(call.words): \(result.errors)")
      #expect(try Data(contentsOf: URL(filePath: call.output)) == before)
    }
    let report = folder.file("report")
    for more in [["--json", report, "--markdown", "\(report)/../report"], ["--per-task", "-"]] {
      #expect(try Tool.run("imprint", evaluate + more).status == 64)
    }
    let adapter = folder.file("adapter")
    try FileManager.default.createDirectory(
      atPath: adapter, withIntermediateDirectories: false)
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
      try FileManager.default.copyItem(atPath: "\(run)/\(name)", toPath: "\(adapter)/\(name)")
    }
    for more in [["--adapter", adapter], ["--resume"]] {
      let onto = try train(adapter, ["--steps", "1"] + more)
      #expect(onto.status == 1 && onto.errors.contains("holds an adapter, which would be lost"))
    }
    // What a run does not consist of may be written into its folder, again and again.
    for _ in 0..<2 {
      let again = try Tool.run("imprint", evaluate + ["--json", run + "/report.json", "--quiet"])
      #expect(again.status == 0, "\(again.errors)")
    }
  }

  @Test func learnedInnerRates() throws {
    for (name, flags) in [("lora", []), ("full", ["--inner", "full"])] {
      let flags = flags + ["--learn-inner-lr", "--inner-lr-lr", "0.1", "--rank", "2"]
      let run = folder.file(name)
      let done = try train(run, flags + ["--steps", "4", "--quiet"])
      #expect(done.status == 0, "\(done.errors)")
      let rates = try JSONDecoder().decode(
        [String: Double].self,
        from: Data(contentsOf: URL(filePath: run + "/inner_rates.json")))
      #expect(rates.count == (name == "lora" ? 28 : 20))
      #expect(Set(rates.values).count > 10)
      let scored = try Tool.run(
        "imprint", "evaluate", "--model", model, "--adapter", run, "--data", data, "--quiet")
      #expect(scored.status == 0, "\(scored.errors)")
      // The same run in two halves ends with the same rates.
      let halves = folder.file(name + "-halves")
      _ = try train(halves, flags + ["--steps", "4", "--save-every", "2", "--quiet"])
      let again = try JSONDecoder().decode(
        [String: Double].self,
        from: Data(contentsOf: URL(filePath: halves + "/inner_rates.json")))
      #expect(again == rates)
      try FileManager.default.removeItem(atPath: run + "/inner_rates.json")
      let missing = try Tool.run(
        "imprint", "evaluate", "--model", model, "--adapter", run, "--data", data)
      #expect(missing.status == 1 && missing.errors.contains("inner_rates.json"))
    }
  }

  /// A run that starts from another goes on from the inner rates that it learned, unless told where.
  @Test(arguments: ["lora", "full"]) func learnedInnerRatesGoOn(_ inner: String) throws {
    let first = folder.file("first")
    let flags = [
      "--inner", inner, "--learn-inner-lr", "--inner-lr-lr", "0.1", "--rank", "2", "--quiet",
    ]
    let made = try train(first, flags + ["--inner-lr", "0.03", "--steps", "3"])
    #expect(made.status == 0, "\(made.errors)")
    func rates(_ run: String) throws -> [String: Double] {
      try JSONDecoder().decode(
        [String: Double].self,
        from: Data(contentsOf: URL(filePath: run + "/inner_rates.json")))
    }
    func next(_ name: String, _ more: [String]) throws -> [String: Double] {
      let run = folder.file(name)
      // Rates that hardly move, and an adapter that does not.
      let flags =
        ["--inner", inner, "--learn-inner-lr", "--inner-lr-lr", "1e-30", "--adapter", first]
        + ["--steps", "1", "--quiet"]
      let done = try train(run, flags + more)
      #expect(done.status == 0, "\(done.errors)")
      return try rates(run)
    }
    let learned = try rates(first)
    #expect(Set(learned.values).count > 10)
    // A rate is the exponential of an f32: 1e-6 of it.
    let gone = try next("second", [])
    for (name, rate) in learned { #expect(abs((gone[name] ?? 0) / rate - 1) < 1e-6) }
    #expect(try next("third", ["--inner-lr", "0.05"]).values.allSatisfy { abs($0 - 0.05) < 1e-6 })
    try FileManager.default.removeItem(atPath: first + "/inner_rates.json")
    let missing = try train(
      folder.file("none"), ["--inner", inner, "--learn-inner-lr", "--adapter", first])
    #expect(missing.status == 1 && missing.errors.contains("inner_rates.json"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("none")))
  }

  /// Tasks with the same context are one group, and another number of them is another run.
  @Test func tasksThatShareAContext() throws {
    let lines = (0..<7).map {
      """
      {"context_ids": [\($0 % 3 + 1), 9, 4], "query_ids": [\($0 + 20)], "response_ids": [3], "separator_ids": [1]}
      """
    }
    let shared = try folder.write(Array(lines.joined(separator: "\n").utf8), "shared.jsonl")
    let run = folder.file("run")
    func train(_ queries: String, _ more: String...) throws -> Tool.Result {
      try Tool.run(
        "imprint",
        [
          "train", "--model", model, "--data", shared, "--output", run, "--batch-size", "2",
          "--prompt-weight", "0.3", "--queries-per-context", queries, "--rank", "2",
        ] + more)
    }
    let done = try train("2", "--verbose", "--steps", "2")
    #expect(done.status == 0 && done.errors.contains("7 tasks in 4 groups"), "\(done.errors)")
    let other = try train("3", "--resume", "--steps", "2")
    #expect(other.status == 1 && other.errors.contains("training.queriesPerContext 2 → 3"))
    let none = try train("0", "--steps", "2")
    #expect(none.status == 64 && none.errors.contains("--queries-per-context must be positive."))
  }

  @Test func factorsAsBF16() throws {
    let run = folder.file("run")
    let done = try train(
      run, ["--inner", "full", "--factor-storage", "bf16", "--steps", "2", "--quiet"])
    #expect(done.status == 0, "\(done.errors)")
  }

  /// A run of two LoRA steps, evaluated with a full step: one, as it says, and not the second alone.
  @Test func anotherInnerStepIsOne() throws {
    let run = folder.file("run")
    let done = try train(run, ["--inner-steps", "2", "--rank", "2", "--steps", "1", "--quiet"])
    #expect(done.status == 0, "\(done.errors)")
    let arguments = [
      "evaluate", "--model", model, "--adapter", run, "--data", data, "--quiet", "--json", "-",
      "--inner", "full",
    ]
    let full = try Tool.run("imprint", arguments)
    #expect(full.status == 0, "\(full.errors)")
    #expect(try full.output == Tool.run("imprint", arguments + ["--inner-steps", "1"]).output)
    // That the run was trained on another weight file is said, and no more.
    #expect(full.errors.isEmpty, "\(full.errors)")
    let other = folder.file("other.imprint")
    let made = try Tool.run("imprint-tools", "merge", model, run, other, "--quiet")
    #expect(made.status == 0, "\(made.errors)")
    let elsewhere = try Tool.run(
      "imprint", arguments.filter { $0 != "--quiet" }.map { $0 == model ? other : $0 })
    #expect(elsewhere.status == 0)
    #expect(elsewhere.errors.contains("\(run): was trained on another weight file than --model"))
  }

  @Test(arguments: [
    (["--outer", "full", "--inner", "lora"], "--outer full goes with --inner full."),
    (["--outer", "full", "--rank", "4"], "--rank goes with --outer lora."),
    (["--factor-storage", "bf16"], "--factor-storage goes with --inner full."),
    (["--inner-parameters", "all"], "--inner-parameters goes with --inner full."),
    (
      ["--inner", "full", "--inner-steps", "2"], "--inner-steps above 1 goes with --inner lora."
    ),
    (["--save-type", "bf16"], "--save-type goes with --outer full."),
    (["--outer", "full", "--save-type", "q4_0"], "--save-type must be f32 or bf16."),
    (["--inner-lr-lr", "0.1"], "--inner-lr-lr goes with --learn-inner-lr."),
    (["--teacher-max-tokens", "4"], "--teacher-max-tokens goes with --target teacher."),
    (["--lm-weight", "1"], "--lm-weight goes with --lm-data."),
  ]) func flagsThatMakeNoSense(_ flags: [String], _ complaint: String) throws {
    let result = try train(folder.file("run"), flags)
    #expect(result.status == 64)
    #expect(result.errors.contains(complaint), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder.file("run")))
  }
}

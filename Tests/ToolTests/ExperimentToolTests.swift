import Foundation
import FoundationXML
import MetaLearning
import Storage
import TestSupport
import Testing
import Weights

/// `imprint-bench experiment` on a tiny random model that has a tokenizer.
@Suite(.serialized) struct ExperimentToolTests {
  let experiment: SmokeExperiment
  var folder: TemporaryFolder { experiment.folder }
  var model: String { experiment.model }
  var output: String { experiment.output }

  init() throws { experiment = try SmokeExperiment() }

  private func run(_ more: String...) throws -> Tool.Result {
    try Tool.run("imprint-bench", experiment.arguments(output, more))
  }

  private func text(_ name: String) throws -> String {
    try String(contentsOfFile: output + "/" + name, encoding: .utf8)
  }

  @Test func theSmokeExperiment() throws {
    let plan = try run("--dry-run")
    #expect(plan.status == 0, "\(plan.errors)")
    #expect(
      plan.output.contains("expected time: unknown (nothing like it has been measured here yet, or")
    )
    #expect(plan.output.contains("imprint train --model "))
    #expect(!FileManager.default.fileExists(atPath: output))

    // One stage has too little memory: it is reported, and hides nothing.
    let first = try run()
    #expect(first.status == 1, "\(first.errors)")
    #expect(
      first.output.contains(
        "FAILED  stages/broken/reversal/seed-1: exit code 1: imprint: --memory: at least"))
    #expect(first.output.contains("left out  smoke/broken/reversal/seed-2"))
    #expect(
      first.errors.contains("expected time: about"), "later parts are estimated from earlier ones")
    let table = try text("smoke/results.md")
    #expect(table.contains("| gold-trained |") && table.contains("| 100 % |"))
    #expect(table.contains("`stages/broken/reversal/seed-1`: exit code 1: imprint: --memory"))
    #expect(
      table.contains("The baseline is 'untrained'; of 'first order, joint' it is 'gold-trained'."))
    #expect(table.contains("2 seeds") && table.contains("imprint evaluate --model"))
    let picture = try text("smoke/results.svg")
    #expect(picture.hasPrefix("<svg ") && picture.hasSuffix("</svg>\n"))
    #expect(XMLParser(data: Data(picture.utf8)).parse() && picture.contains(">gold-trained<"))
    #expect(picture.contains("over 6 tests, 2 seeds") && picture.contains("Model: random"))
    let json = try #require(
      JSONSerialization.jsonObject(with: Data(text("smoke/results.json").utf8)) as? [String: Any])
    // Untrained and trained on both (1 + 2 seeds), and joint training on one.
    #expect((json["rows"] as? [Any])?.count == 7)

    // Nothing but what failed is made again, and tables stay.
    let again = try run()
    #expect(again.status == 1 && !again.errors.contains("evaluate gold-trained"))
    #expect(again.errors.contains("are done already"))
    #expect(try text("smoke/results.md").contains("| gold-trained |"))

    // A part of it alone takes nothing from the tables.
    let part = try run("--data", "character", "--variants", "gold", "--seeds", "2")
    #expect(part.status == 0 && part.errors.contains("nothing is left to do"), "\(part.errors)")
    let after = try #require(
      JSONSerialization.jsonObject(with: Data(text("smoke/results.json").utf8)) as? [String: Any])
    #expect((after["rows"] as? [Any])?.count == 7)
    #expect(try text("smoke/results.md").contains("2 seeds"))

    // Shares are counted from the baseline of each: 0.4 of 0.8, and 0.05 of 0.2.
    let shares: [(part: String, prompt: Double, ft: Double)] = [
      ("base/character", 0.8, 0), ("gold/character/seed-1", 0.6, 0.4),
      ("gold/character/seed-2", 0.6, 0.4), ("first-order/character/seed-1", 0.7, 0.45),
    ]
    for (part, prompt, ft) in shares {
      let url = URL(filePath: output + "/smoke/\(part)/report.json")
      var report = try JSONDecoder().decode(EvaluationReport.self, from: Data(contentsOf: url))
      report.prompt.exactMatch.mean = prompt
      report.ft.exactMatch.mean = ft
      try JSONEncoder().encode(report).write(to: url)
    }
    _ = try run()
    let changed = try #require(
      JSONSerialization.jsonObject(with: Data(text("smoke/results.json").utf8)) as? [String: Any])
    func recovered(_ variant: String) -> Double? {
      let cells = changed["cells"] as? [[String: Any]] ?? []
      let cell = cells.first {
        $0["variant"] as? String == variant && $0["data"] as? String == "character"
          && $0["value"] as? String == "recovered"
      }
      return (cell?["estimate"] as? [String: Any])?["mean"] as? Double
    }
    #expect(recovered("base") == nil)
    #expect(abs((recovered("gold") ?? 0) - 0.5) < 1e-12)
    #expect(abs((recovered("first-order") ?? 0) - 0.25) < 1e-12)

    // A seed that diverged is not left out of the mean.
    let url = URL(filePath: output + "/smoke/gold/character/seed-2/report.json")
    var report = try JSONDecoder().decode(EvaluationReport.self, from: Data(contentsOf: url))
    report.ft.exactMatch.mean = .nan
    try JSONEncoder().encode(report).write(to: url)
    _ = try run()
    #expect(try text("smoke/results.md").contains("| nan ± nan % |"))
  }

  /// What was interrupted goes on where it was and gives the same adapter; a part that is gone is
  /// made again; other commands than those that made a part are refused.
  @Test func anInterruptedRunGoesOn() throws {
    let whole = ["--variants", "gold", "--data", "character", "--seeds", "1"]
    let straight = try Tool.run(
      "imprint-bench", experiment.arguments(folder.file("straight"), whole))
    #expect(straight.status == 0, "\(straight.errors)")
    let part = "stages/gold/character/seed-1"
    let adapter = part + "/run/adapter_model.safetensors"
    let expected = try Data(contentsOf: URL(filePath: folder.file("straight/" + adapter)))

    #expect(try run("--variants", "gold", "--data", "character", "--seeds", "1").status == 0)
    #expect(try Data(contentsOf: URL(filePath: output + "/" + adapter)) == expected)
    // As if it had been killed: before the end, and before the first checkpoint.
    let files = FileManager.default
    try files.removeItem(atPath: output + "/" + part + "/done.json")
    try files.removeItem(atPath: output + "/" + adapter)
    let resumed = try run("--variants", "gold", "--data", "character", "--seeds", "1")
    #expect(resumed.status == 0 && resumed.errors.contains("--resume"), "\(resumed.errors)")
    #expect(try Data(contentsOf: URL(filePath: output + "/" + adapter)) == expected)
    try files.removeItem(atPath: output + "/" + part + "/done.json")
    for name in try files.contentsOfDirectory(atPath: output + "/" + part + "/run")
    where name.contains("checkpoint") {
      try files.removeItem(atPath: output + "/" + part + "/run/" + name)
    }
    let restarted = try run("--variants", "gold", "--data", "character", "--seeds", "1")
    #expect(restarted.status == 0, "\(restarted.errors)")
    #expect(try Data(contentsOf: URL(filePath: output + "/" + adapter)) == expected)

    let other = try run(
      "--variants", "gold", "--data", "character", "--seeds", "1", "--set", "steps=3")
    #expect(other.status == 1 && other.errors.contains("was made by another command"))
    // Its results stay, and those whose report is lost are made again.
    let results = output + "/smoke/results.md"
    let table = try String(contentsOfFile: results, encoding: .utf8)
    #expect(!table.contains("What is missing"))
    try files.removeItem(atPath: output + "/smoke/gold/character/seed-1/report.json")
    let again = try run("--variants", "gold", "--data", "character", "--seeds", "1")
    #expect(again.status == 0 && again.errors.contains("evaluate gold-trained"), "\(again.errors)")
    // Another spelling of the folder is the same folder.
    let spelt = folder.path + "/.//out/"
    let same = try Tool.run(
      "imprint-bench",
      experiment.arguments(
        spelt, ["--variants", "gold", "--data", "character", "--seeds", "1"]))
    #expect(same.status == 0 && same.errors.contains("nothing is left to do"), "\(same.errors)")
  }

  @Test func wrongCallsAreNamed() throws {
    let setting = try run("--set", "steps")
    #expect(setting.status == 64 && setting.errors.contains("expected name=value"))
    let seeds = try run("--seeds", "1,x")
    #expect(seeds.status == 64 && seeds.errors.contains("whole numbers"))
    let unknown = try run("--set", "stpes=1")
    #expect(unknown.status == 1 && unknown.errors.contains("'stpes' is none of"))
    // What is no command line is said before anything is made.
    for more in [[], ["--dry-run"]] {
      let wrong = try Tool.run(
        "imprint-bench", experiment.arguments(output, ["--set", "memory=much"] + more))
      #expect(wrong.status == 1 && wrong.output.isEmpty)
      #expect(
        wrong.errors.hasPrefix("imprint-bench: smoke/base/character: Error: The value"))
      #expect(!FileManager.default.fileExists(atPath: output + "/data"))
    }
    let missing = try Tool.run("imprint-bench", "experiment", "none.yaml", "--output", output)
    #expect(missing.status == 1 && missing.errors.contains("none.yaml: cannot be read"))
    #expect(missing.errors.split(separator: "\n").count == 1)
  }

  /// Answers in words, the report's flags and the files that they write.
  @Test func evaluateWithATokenizer() throws {
    let data = folder.file("data")
    let made = try Tool.run(
      "imprint", "data", "character-description", "--train", "2", "--test", "6", "--out", data)
    #expect(made.status == 0)
    let (json, markdown) = (folder.file("report.json"), folder.file("report.md"))
    let arguments = ["evaluate", "--model", model, "--data", data + "/test.jsonl", "--quiet"]
    let result = try Tool.run(
      "imprint",
      arguments + [
        "--json", json, "--markdown", markdown, "--irrelevant-context", "--retention", "1,3",
        "--per-task", folder.file("tasks.jsonl"),
      ])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("answer F1") && result.output.contains("FT, other context"))
    #expect(try String(contentsOfFile: markdown, encoding: .utf8).contains("| in turn |"))
    let report = try JSONDecoder().decode(
      EvaluationReport.self, from: Data(contentsOf: URL(filePath: json)))
    #expect(report.ft.answerF1 != nil && report.breakdown.criterion == .answerExactMatch)
    #expect(report.retention?.map(\.groups) == [6, 2])
    // The report is the mean of its tasks.
    let tasks = try String(contentsOfFile: folder.file("tasks.jsonl"), encoding: .utf8)
      .split(separator: "\n").map { try JSONDecoder().decode(TaskReport.self, from: Data($0.utf8)) }
    #expect(tasks.map(\.task) == [1, 2, 3, 4, 5, 6])
    func mean(_ value: (TaskReport) -> Double?) -> Double { Estimate(tasks.compactMap(value)).mean }
    for (given, form) in [
      (report.nc, \TaskReport.nc), (report.prompt, \.prompt), (report.ft, \.ft),
    ] {
      #expect(abs(given.nll.mean - mean { $0[keyPath: form].nll }) < 1e-9)
      #expect(abs(given.tokenAccuracy.mean - mean { $0[keyPath: form].tokenAccuracy }) < 1e-9)
      #expect(abs((given.answerF1?.mean ?? -1) - mean { $0[keyPath: form].answerF1 }) < 1e-9)
    }
    #expect(abs(report.innerLoss.mean - mean(\.innerLoss)) < 1e-9)
    #expect(abs(report.innerLossAfter.mean - mean(\.innerLossAfter)) < 1e-9)
    #expect(tasks.allSatisfy { $0.irrelevant?.nll != nil && $0.ft.answer?.isEmpty == false })
    let table = try Tool.run("imprint-tools", "compare", json, json)
    #expect(table.output.contains("FT F1") && table.output.contains("3 in turn"))
    // Files of one name go by their paths.
    #expect(table.output.contains(json))
    // What cannot be written is found before the work, and the old file stays.
    let before = try Data(contentsOf: URL(filePath: json))
    let nowhere = folder.file("none/report.md")
    let refused = try Tool.run("imprint", arguments + ["--json", json, "--markdown", nowhere])
    #expect(refused.status == 1 && refused.output.isEmpty)
    #expect(refused.errors.contains("\(nowhere): cannot be written"), "\(refused.errors)")
    #expect(try Data(contentsOf: URL(filePath: json)) == before)
    let bare = try Tool.run("imprint", arguments + ["--no-answers"])
    #expect(bare.status == 0 && !bare.output.contains("answer F1"))
    #expect(bare.output.contains("exact match without and with the context step"))
    let many = try Tool.run("imprint", arguments + ["--retention", "7"])
    #expect(many.status == 1 && many.errors.contains("6 tasks do not make a group of 7 different"))
    let wrong = try Tool.run("imprint", arguments + ["--retention", "1,0"])
    #expect(wrong.status == 64)
  }

  /// Tasks of one context, some more of them than share a step, answers and all: what each gives alone.
  /// The shortest tasks that there are decode more rows than they read. 1e-5 for f32 sums in another order.
  @Test func evaluateTasksOfOneContext() throws {
    func row(_ context: String, _ query: String, _ response: String) -> String {
      "{\"context\":\"\(context)\",\"query\":\"\(query)\",\"response\":\"\(response)\"}"
    }
    let short = ["a", "b", "c", "d", "e", "f", "g", "h"].map { row("xy", $0, "z") }
    let long = (0..<10).map { row("A lamp stands on a hill.", "Where is \($0)?", " there \($0)") }
    let mixed = [row("No one.", "Who?", " him")] + long + [row("Nothing.", "What?", " it")]
    for (name, rows) in [("short", short), ("mixed", mixed)] {
      func report(_ rows: [String], _ flags: String...) throws -> EvaluationReport {
        let data = try folder.write(Array(rows.joined(separator: "\n").utf8), "\(name).jsonl")
        let json = folder.file("\(name).json")
        let result = try Tool.run(
          "imprint",
          ["evaluate", "--model", model, "--data", data, "--inner-lr", "0.5", "--separator", ""]
            + ["--json", json, "--quiet"] + flags)
        #expect(result.status == 0, "\(result.errors)")
        return try JSONDecoder().decode(
          EvaluationReport.self, from: Data(contentsOf: URL(filePath: json)))
      }
      let together = try report(rows)
      let alone = try rows.map { try report([$0]) }
      let bare = try report(rows, "--no-answers")
      for form in [\EvaluationReport.nc, \.prompt, \.ft] {
        func mean(_ value: (FormReport) -> Double?) -> Double {
          Estimate(alone.compactMap { value($0[keyPath: form]) }).mean
        }
        let given = together[keyPath: form]
        #expect(abs(given.nll.mean - mean(\.nll.mean)) < 1e-5)
        #expect(abs(given.tokenAccuracy.mean - mean(\.tokenAccuracy.mean)) < 1e-9)
        let f1 = try #require(given.answerF1).mean
        #expect(abs(f1 - mean { $0.answerF1?.mean }) < 1e-9)
        #expect(abs(bare[keyPath: form].nll.mean - given.nll.mean) < 1e-5)
        #expect(bare[keyPath: form].answerF1 == nil)
      }
    }
  }
}

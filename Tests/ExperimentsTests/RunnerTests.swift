import Experiments
import Foundation
import TestSupport
import Testing

/// Runs of plans whose commands are a script: it makes what it is told to and copies reports.
@Suite struct RunnerTests {
  let folder: TemporaryFolder
  var output: String { folder.file("out") }

  /// `report` of an evaluation is the file report-N.json of the seed N, or report.json; `train` fails
  /// with the code in the file `status`, where there is one.
  private static let script = """
    #!/bin/sh
    [ -n "$IMPRINT_CHECK_ONLY" ] && exit 0
    here=$(dirname "$0")
    command=$1
    [ "$command" = train ] && [ -e "$here/status" ] && exit $(cat "$here/status")
    while [ $# -gt 0 ]; do
      case $1 in
        --json) json=$2 ;;
        --adapter) adapter=$2 ;;
        --output) mkdir -p "$2" ;;
        --out) echo "{}" > "$2" ;;
      esac
      shift
    done
    seed=$(echo "$adapter" | sed -n 's/.*seed-\\([0-9]*\\).*/-\\1/p')
    if [ -n "$json" ]; then cp "$here/report$seed.json" "$json"; fi
    echo "$command" >> "$here/calls"
    """

  private static let experiment = """
    title: Words
    seeds: [1]
    settings: {text: plain.txt}
    data: {one: {train: train.jsonl, test: test.jsonl}}
    stages:
      gold: {options: --lm-data $text}
      fixed: {seed: 1}
    variants:
      base: {}
      gold: {stage: gold}
      fixed: {stage: fixed}
    tables:
      - columns:
          - {title: FT, value: ft.$metric}
          - {title: recovered, value: recovered}
          - {title: share, value: ft_to_prompt.$metric}
    """

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.file("bin"), withIntermediateDirectories: true)
    for name in ["imprint", "imprint-tools"] {
      try folder.write(Array(Self.script.utf8), "bin/" + name)
      chmod(folder.file("bin/" + name), 0o755)
    }
    for name in ["m.imprint", "plain.txt", "train.jsonl", "test.jsonl"] {
      try folder.write(Array("{}\n".utf8), name)
    }
    try report("", ft: 0, error: 0.1, prompt: 0.8)
    try report("-1", ft: 0.2, error: 0.1, prompt: 0.8)
    try report("-2", ft: 0.6, error: 0.1, prompt: 0.8)
  }

  /// A report with these exact matches, and FT / Prompt where there is one.
  private func report(
    _ name: String, ft: Double, error: Double, prompt: Double, hasShare: Bool = true
  ) throws {
    func estimate(_ mean: Double, _ error: Double = 0) -> [String: Any] {
      ["mean": mean, "standard_error": error]
    }
    func form(_ mean: Double, _ error: Double = 0) -> [String: Any] {
      [
        "nll": estimate(1), "token_accuracy": estimate(mean), "exact_match": estimate(mean, error),
      ]
    }
    let share: [String: Any] = hasShare ? ["exact_match": estimate(ft / prompt)] : [:]
    let report: [String: Any] = [
      "groups": 10, "contexts_per_update": 1, "nc": form(0), "prompt": form(prompt),
      "ft": form(ft, error), "gap_recovered": share, "ft_to_prompt": share,
      "breakdown": [
        "criterion": "exact_match", "neither": estimate(1), "both": estimate(0),
        "only_without": estimate(0), "only_with": estimate(0),
      ],
      "inner_loss": estimate(2), "inner_loss_after": estimate(1),
    ]
    let data = try JSONSerialization.data(withJSONObject: report)
    try folder.write(Array(data), "bin/report\(name).json")
  }

  /// Paths in the experiment are in the folder of the test.
  private func runner(
    _ text: String = experiment, seeds: [UInt64]? = nil, text file: String = "plain.txt",
    model: String = "m.imprint", data: [String]? = nil, variants: [String]? = nil,
    said: Said = Said()
  ) throws -> Runner {
    var text = text
    for name in ["train.jsonl", "test.jsonl"] { text.replace(name, with: folder.file(name)) }
    let path = try folder.write(Array(text.utf8), "words.yaml")
    let experiment = try Experiment(path: path)
    let selection = Plan.Selection(
      model: folder.path + "/" + model, settings: ["text": folder.path + "/" + file],
      data: data, variants: variants, seeds: seeds)
    return Runner(
      try Plan(experiment, here: folder.path, output: output, selection: selection),
      of: try Plan.whole(experiment, here: folder.path, output: output, selection: selection),
      executables: folder.file("bin"), isQuiet: true
    ) { said.text += $0 + "\n" }
  }

  /// What a run says.
  private final class Said { var text = "" }

  private func calls() -> Int {
    ((try? String(contentsOfFile: folder.file("bin/calls"), encoding: .utf8)) ?? "")
      .split(separator: "\n").count
  }

  private func results() throws -> String {
    try String(contentsOfFile: output + "/words/results.md", encoding: .utf8)
  }

  private func cell(_ variant: String, _ value: String) throws -> (mean: Double, error: Double)? {
    let data = try Data(contentsOf: URL(filePath: output + "/words/results.json"))
    let json = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    let cells = json?["cells"] as? [[String: Any]] ?? []
    let cell = cells.first {
      $0["variant"] as? String == variant && $0["value"] as? String == value
    }
    guard let estimate = cell?["estimate"] as? [String: Any] else { return nil }
    return (estimate["mean"] as? Double ?? .nan, estimate["standard_error"] as? Double ?? .nan)
  }

  /// Seeds are added to those that are there; means, and errors over tasks and seeds, by hand.
  @Test func seedsAreAdded() throws {
    #expect(try runner().run().done == 5)
    let first = calls()
    let one = try #require(try cell("gold", "ft.exact_match"))
    #expect(one.mean == 0.2 && one.error == 0.1)
    let said = Said()
    #expect(try runner(seeds: [1, 2], variants: ["gold", "base"], said: said).run().done == 5)
    #expect(calls() == first + 2)
    #expect(said.text.contains("3 are done already"))
    let ft = try #require(try cell("gold", "ft.exact_match"))
    // √(0.1² + 0.2²): the seeds' deviation is 0.4 / √2, over √2.
    #expect(abs(ft.mean - 0.4) < 1e-12 && abs(ft.error - 0.05.squareRoot()) < 1e-12)
    let recovered = try #require(try cell("gold", "recovered"))
    let error = (0.05 + (0.5 * 0.1) * (0.5 * 0.1)).squareRoot() / 0.8
    #expect(abs(recovered.mean - 0.5) < 1e-12 && abs(recovered.error - error) < 1e-12)
    // What has a seed of its own has no other.
    #expect(try results().contains("| fixed | 20.0"))
    let share = try #require(try cell("gold", "ft_to_prompt.exact_match"))
    #expect(abs(share.mean - 0.5) < 1e-12)
    // Where a seed has no value there is no mean of the others.
    try report("-2", ft: 0.6, error: 0.1, prompt: 0.8, hasShare: false)
    try FileManager.default.removeItem(atPath: output + "/words/gold/one/seed-2/report.json")
    #expect(try runner(seeds: [1, 2]).run().failed.isEmpty)
    #expect(try cell("gold", "ft_to_prompt.exact_match") == nil)
    #expect(try cell("base", "ft_to_prompt.exact_match") != nil)
  }

  /// A row with fewer seeds than another says so.
  @Test func rowsWithFewerSeedsSaySo() throws {
    let text = Self.experiment.replacing("  fixed: {stage: fixed}", with: "  other: {stage: gold}")
    _ = try runner(text).run()
    _ = try runner(text, seeds: [1, 2], variants: ["gold"]).run()
    #expect(try results().contains("| other (1 of 2 seeds) |"))
    #expect(try results().contains("| gold | 40.0"))
    #expect(try results().contains("| base | 0.0"))
  }

  /// What is not there is said before anything is made, and what is there again is taken.
  @Test func missingFilesAreNamedFirst() throws {
    let model = folder.file("m.imprint")
    try FileManager.default.moveItem(atPath: model, toPath: model + ".away")
    #expect(
      errorText { _ = try runner().run() }.hasPrefix(
        "\(model): cannot be read, and words/base/one and 4 more cannot be made without: name"))
    #expect(try runner().describe().contains("cannot be made: \(model) cannot be read"))
    #expect(calls() == 0)
    try FileManager.default.moveItem(atPath: model + ".away", toPath: model)
    #expect(
      errorText { _ = try runner(text: "none.txt").run() }.contains("none.txt: cannot be read"))
    #expect(calls() == 0)
    #expect(try runner().run().done == 5)
    // What is made does not need it any more.
    try FileManager.default.moveItem(atPath: model, toPath: model + ".away")
    let said = Said()
    #expect(try runner(said: said).run().done == 5)
    #expect(said.text.contains("nothing is left to do"))
  }

  /// A file that was away while something was made that does not need it is the same when it is back.
  @Test func aFileThatWasAwayIsTheSame() throws {
    #expect(try runner(variants: ["gold"]).run().done == 2)
    let text = folder.file("plain.txt")
    try FileManager.default.moveItem(atPath: text, toPath: text + ".away")
    try FileManager.default.removeItem(atPath: output + "/words/gold/one/seed-1/done.json")
    #expect(try runner(variants: ["gold"]).run().done == 2)
    try FileManager.default.moveItem(atPath: text + ".away", toPath: text)
    #expect(try runner().run().done == 5)
  }

  /// What a command writes is not looked for before it has run, be it outside of the output.
  @Test func whatACommandWritesIsNoInput() throws {
    let made = folder.file("made.jsonl")
    let text = Self.experiment.replacing(
      "{train: train.jsonl",
      with: "{commands: imprint data squad \(folder.file("plain.txt")) "
        + "--out \(made), train: \(made)")
    #expect(try runner(text).run().done == 6)
    #expect(try runner(text).run().done == 6)
  }

  /// Every way to name a file is seen: behind flags, in them, and as an argument behind others.
  @Test(arguments: ["--config $text", "--lm-data=$text", "--lm-data $text"])
  func filesAreSeen(_ flag: String) throws {
    let text = Self.experiment.replacing("--lm-data $text", with: flag)
      .replacing(
        "{train: train.jsonl",
        with: "{commands: imprint data wikitext --plain "
          + "\(folder.file("source.txt")) --out $folder/x.jsonl, train: train.jsonl")
    try folder.write([1], "source.txt")
    #expect(try runner(text).run().done == 6)
    try folder.write([2], "source.txt")
    let source = errorText { _ = try runner(text).run() }
    #expect(source.contains("data/one was made from another \(folder.file("source.txt"))"))
    try folder.write([1], "source.txt")
    try folder.write([3], "plain.txt")
    #expect(
      errorText { _ = try runner(text).run() }.contains("from another \(folder.path)/plain.txt"))
  }

  /// Data that join others, all or some of them: each has its results, and they are not mixed.
  @Test func joinedDataHaveTheirOwnResults() throws {
    let text = Self.experiment.replacing(
      "data: {one: {train: train.jsonl, test: test.jsonl}}",
      with: """
        data:
          one: {train: train.jsonl, test: test.jsonl}
          two: {train: train.jsonl, test: test.jsonl}
          both: {join: [one, two]}
        """
    ).replacing("gold: {options:", with: "gold: {data: both, options:")
    #expect(try runner(text, data: ["one"], variants: ["gold", "base"]).run().failed.isEmpty)
    #expect(try results().contains("| gold | 20.0 ± 10.0 % |"))
    #expect(try runner(text, variants: ["gold", "base"]).run().failed.isEmpty)
    #expect(try results().components(separatedBy: "| gold | 20.0 ± 10.0 % |").count == 3)
    _ = try runner(text, data: ["one"], variants: ["gold", "base"]).run()
    #expect(try results().components(separatedBy: "| gold | 20.0 ± 10.0 % |").count == 3)
    #expect(try !results().contains("seeds)"))
  }

  /// The same file under another name is the same, and another one under the same name is not.
  @Test func filesAreKnownByTheirContent() throws {
    #expect(try runner().run().done == 5)
    let before = calls()
    try folder.write(Array("{}\n".utf8), "copy.txt")
    #expect(try runner(text: "./copy.txt", model: ".//m.imprint").run().done == 5)
    #expect(calls() == before)
    try folder.write(Array("{ }\n".utf8), "plain.txt")
    let problem = errorText { _ = try runner().run() }
    #expect(problem.contains("stages/gold/one/seed-1 was made from another \(folder.path)"))
    #expect(problem.contains("(and 1 more)") && calls() == before)
    try folder.write(Array("{}\n".utf8), "plain.txt")
    try folder.write([1, 2, 3], "m.imprint")
    #expect(errorText { _ = try runner().run() }.contains("m.imprint"))
  }

  /// Times are said before anything was measured, as far as the experiment knows of any.
  @Test func timesAreSaidBeforehand() throws {
    let text =
      Self.experiment.replacing(
        "--lm-data $text", with: "--lm-data $text --steps 10 --batch-size 6"
      )
      .replacing("test: test.jsonl", with: "test: later.jsonl, tests: 40")
      + "\nrates: {of: a sloth, seconds: {train lora second one: 2, evaluate: 3, gold one: 17}}\n"
    let plan = try runner(text).describe()
    #expect(
      plan.contains(
        "(stages/gold/one/seed-1)\n    expected time: about 17 min (not measured here yet)"))
    #expect(plan.contains("(words/base/one)\n    cannot be made: later.jsonl cannot be read"))
    #expect(plan.hasSuffix(" (before it is measured: a sloth)"))
    try folder.write(Array("{}\n".utf8), "later.jsonl")
    let there = try runner(text.replacing("later.jsonl", with: folder.file("later.jsonl")))
      .describe()
    #expect(
      there.contains("(words/base/one)\n    expected time: about 3 s (not measured here yet)"))
    // Where the commands of the data set make it, what they are going to make counts.
    let made = text.replacing(
      "test: later.jsonl",
      with: "commands: imprint data squad \(folder.file("plain.txt")) --out "
        + "$folder/x.jsonl, test: $folder/x.jsonl")
    #expect(
      try runner(made).describe().contains(
        "(words/base/one)\n    expected time: about 2 min (not measured here yet)"))
  }

  /// A machine that was faster with what it has done is taken to be so with the rest.
  @Test func whatWasMeasuredGivesThePace() throws {
    let text =
      Self.experiment.replacing(
        "--lm-data $text", with: "--lm-data $text --steps 10 --batch-size 6")
      + "\nrates: {of: a sloth, seconds: {gold one: 2, evaluate: 30}}\n"
    #expect(try runner(text).run().failed.isEmpty)
    let done = output + "/stages/gold/one/seed-1/done.json"
    var fields = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: done)))
        as? [String: Any])
    #expect(fields["tasks"] as? Double == 60)
    // 60 tasks are two minutes of the sloth.
    fields["seconds"] = 30
    try JSONSerialization.data(withJSONObject: fields).write(to: URL(filePath: done))
    try FileManager.default.removeItem(atPath: output + "/words")
    let plan = try runner(text).describe()
    #expect(
      plan.contains(
        """
        (words/base/one)
            expected time: about 8 s (not measured here yet; others took 0.25 times as long here)
        """), "\(plan)")
    #expect(plan.hasSuffix(" (before it is measured: 0.25 × a sloth)"))
  }

  /// A training that is told to stop stops the rest.
  @Test(arguments: [129, 130, 143]) func aStoppedCommandStopsTheRest(_ status: Int) throws {
    try folder.write(Array("\(status)".utf8), "bin/status")
    let summary = try runner().run()
    #expect(
      summary.failed == [
        "stages/gold/one/seed-1: was stopped (exit code \(status)): run the command again"
      ])
    #expect(summary.skipped.isEmpty && summary.done == 1)
  }

  /// Parts of an earlier version are not taken for new ones.
  @Test func whatAnotherVersionMadeIsRefused() throws {
    #expect(try runner().run().done == 5)
    let done = output + "/stages/gold/one/seed-1/done.json"
    try "{\"recipe\": \"abc\"}".write(toFile: done, atomically: true, encoding: .utf8)
    #expect(errorText { _ = try runner().run() }.contains("was made by another version"))
  }

  /// Executables that changed between parts are told of.
  @Test func otherExecutablesAreToldOf() throws {
    _ = try runner().run()
    #expect(try !results().contains("Different builds"))
    try folder.write(Array((Self.script + "\n# new\n").utf8), "bin/imprint")
    chmod(folder.file("bin/imprint"), 0o755)
    _ = try runner(seeds: [1, 2]).run()
    #expect(try results().contains("Different builds of imprint made these parts (2;"))
  }
}

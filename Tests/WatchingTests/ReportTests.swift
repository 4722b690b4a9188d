import Foundation
import Storage
import TestSupport
import Testing
import Watching

struct ReportTests {
  let folder: TemporaryFolder
  let run: String

  init() throws {
    folder = try TemporaryFolder()
    run = folder.file("run")
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
    try write(
      "config.json",
      """
      {"model": "/models/a<b>.imprint", "data": "train.jsonl", "data_fingerprint": 18376709717324472427,
       "training": {"batchSize": 8, "maxGradNorm": 1, "meta": {"inner": "lora", "innerLearningRate": 0.5},
       "schedule": {"totalSteps": 40, "peak": 1e-3}}}
      """)
    try steps(40)
  }

  private func write(_ name: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(filePath: run + "/" + name))
  }

  private func steps(_ count: Int, _ more: (Int) -> String = { _ in "" }) throws {
    let rows = (1...count).map { step in
      """
      {"step": \(step), "outer_loss": \(6.0 / Double(step)), "inner_loss": 5, "gradient_norm": \
      \(step % 7 + 1), "learning_rate": 0.001, "seconds": 2, "anonymous_bytes": \(1_048_576 * 100)\(more(step))}
      """
    }
    try write("metrics.jsonl", rows.joined(separator: "\n") + "\n")
  }

  /// Every tag is closed in turn.
  private func isBalanced(_ html: String) -> Bool {
    var open: [Substring] = []
    let start = html.firstRange(of: "<body>")?.lowerBound ?? html.startIndex
    let body = html[start...].replacing(/<script>[^\u{0}]*?<\/script>/, with: "")
    for match in body.matches(of: /<(\/?)([a-z0-9]+)[^>]*?(\/?)>/) {
      if match.3 == "/" { continue }
      if match.1 != "/" { open.append(match.2) } else if open.popLast() != match.2 { return false }
    }
    return open == ["html"] || open.isEmpty
  }

  private func page(_ evaluations: [String] = []) throws -> String {
    let html = try RunReport(run: run, evaluations: evaluations).html
    #expect(!html.contains("NaN") && !html.contains("nan") && !html.contains("inf\""))
    #expect(isBalanced(html.replacing("</html>", with: "")))
    return html
  }

  @Test func needsNothingFromElsewhere() throws {
    let html = try page()
    for outside in ["http", "src=", "href", "@import", "url("] {
      #expect(!html.contains(outside), "\(outside)")
    }
    #expect(html.contains("prefers-color-scheme:dark"))
  }

  @Test func showsWhatTheRunHas() throws {
    try write("memory.json", "{\"adapter\": 52428800, \"process\": 10485760, \"total\": 62914560}")
    try write(
      "inner_rates.json",
      "{\"layers.0.self_attn.q_proj.lora_A\": 0.25, \"layers.1.mlp.up_proj.lora_B\": 1, \"model.norm.weight\": 0.5}"
    )
    let html = try page()
    #expect(html.contains("40 of 40") && html.contains("a&lt;b&gt;.imprint"))
    #expect(!html.contains("a<b>"))
    #expect(html.contains("18376709717324472427") && html.contains("training.schedule"))
    #expect(html.contains("planned, in all") && html.contains(">60.0 MiB<"))
    #expect(html.contains("layer 0 q_proj A: 0.250") && html.contains("model.norm.weight 0.500"))
    #expect(html.contains("clipped to 1<"))
    #expect(!html.contains("<h2>Evaluation</h2>"))
  }

  @Test func heldOutTasksHaveCurves() throws {
    #expect(!(try page().contains("Held-out tasks")))
    let rows = [0, 20, 40].map { step in
      """
      {"step": \(step), "nc_nll": 7, "prompt_nll": 1, "ft_nll": \(8.0 / Double(step + 1)), \
      "nc_exact_match": 0, "prompt_exact_match": 0.5, "ft_exact_match": \(Double(step) / 40), \
      "inner_loss": 5, "seconds": 1}

      """
    }
    try write("held_out.jsonl", rows.joined())
    let html = try page()
    #expect(html.contains("<b>Held-out tasks</b> <span>nats per token</span>"))
    #expect(html.contains("FT</tspan> <tspan class=\"value\">100<"))
    #expect(html.contains("100.0 %<small>held-out tasks, step 40<"))
    try write("held_out.jsonl", "{}\n")
    #expect(throws: FileError.self) { try RunReport(run: run) }
  }

  @Test func summaryHasTheNumbers() throws {
    let summary = try RunReport(run: run).summary
    #expect(summary.steps == 40 && summary.totalSteps == 40 && summary.seconds == 80)
    #expect(summary.peakAnonymousBytes == 104_857_600 && summary.plannedBytes == nil)
    // The mean of 6/37 … 6/40, as the last tenth of 40 steps are four.
    #expect(abs((summary.last["outer_loss"] ?? 0) - 0.155976) < 1e-6)
  }

  @Test func evaluationsOfTodayAndOfOlderVersions() throws {
    func estimate(_ mean: Double, _ error: String) -> String {
      "{\"mean\": \(mean), \"\(error)\": 0.02}"
    }
    func form(_ mean: Double, _ keys: [String], _ error: String) -> String {
      "{" + keys.map { "\"\($0)\": \(estimate(mean, error))" }.joined(separator: ",") + "}"
    }
    for (name, keys, error) in [
      ("new", ["nll", "token_accuracy", "exact_match"], "standard_error"),
      ("old", ["nll", "tokenAccuracy", "exactMatch"], "standardError"),
    ] {
      let forms = [("nc", 0.1), ("prompt", 0.9), ("ft", 0.8125)].map {
        "\"\($0)\": \(form($1, keys, error))"
      }
      try write(name + ".json", "{\"groups\": 64, \(forms.joined(separator: ","))}")
    }
    let one = try page([run + "/new.json"])
    #expect(one.contains("<h2>Evaluation</h2>") && one.contains("81.3 <small>± 2.0 %"))
    let both = try page([run + "/new.json", run + "/old.json"])
    #expect(both.contains("old: NC 10.0 %, Prompt 90.0 %"))
    #expect(both.contains("rowspan=\"3\">old<") && both.contains("rowspan=\"3\">new<"))
    #expect {
      try RunReport(run: run, evaluations: [run + "/config.json"])
    } throws: {
      "\($0)".contains("config.json: is not a report of imprint evaluate")
    }
  }

  @Test func aRunThatIsGoingOn() throws {
    try steps(3)
    let handle = try #require(FileHandle(forWritingAtPath: run + "/metrics.jsonl"))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data("{\"step\": 4, \"outer".utf8))
    let html = try page()
    #expect(html.contains("3 of 40") && html.contains("not finished"))
  }

  @Test func unusualNumbers() throws {
    try steps(1)
    _ = try page()
    try steps(20) { ", \"other\": \($0 % 2 == 0 ? -3 : 4), \"zero\": 0, \"rare_loss\": null" }
    #expect(try page().contains("<b>other</b>"))
    // Late values of a metric that most rows lack.
    try steps(20) { $0 % 10 == 0 ? ", \"ft_nll\": 0.1\($0)" : "" }
    #expect(try page().contains("<circle"))
    try steps(20_000)
    #expect(try page().utf8.count < 1_000_000)
  }

  @Test func badFilesAreNamed() throws {
    func problem() -> String {
      do {
        _ = try RunReport(run: run)
        return ""
      } catch { return "\(error)" }
    }
    try write("metrics.jsonl", "{\"step\": 1, \"outer_loss\": 2}\n{\"outer_loss\": 2}\n")
    #expect(problem().contains("metrics.jsonl: line 2: expected an object with a number 'step'"))
    try write("metrics.jsonl", "")
    #expect(problem().contains("metrics.jsonl: holds no step"))
    try steps(2)
    try write("memory.json", "{\"adapter\": \"much\"}")
    #expect(problem().contains("memory.json: field 'adapter': expected a number"))
    try write("config.json", "[]")
    #expect(problem().contains("config.json: is not the configuration of a run"))
    try FileManager.default.removeItem(atPath: run + "/config.json")
    #expect(problem().contains("no run was started here"))
  }
}

struct ChartTests {
  @Test(arguments: [
    (0.0...6.1, 5, [0.0, 2, 4, 6, 8]), (1.0...80.0, 9, [10, 20, 30, 40, 50, 60, 70, 80]),
    (0...0.001, 4, [0, 0.0005, 0.001]), (-3...4, 4, [-4, -2, 0, 2, 4]),
  ])
  func linearTicks(range: ClosedRange<Double>, count: Int, ticks: [Double]) {
    let axis = Axis(range, count: count, rounded: range.lowerBound != 1, pixels: (0, 100))
    #expect(axis.ticks.count == ticks.count)
    for (tick, expected) in zip(axis.ticks, ticks) { #expect(abs(tick - expected) < 1e-9) }
  }

  @Test func logarithmicTicks() {
    let decades = Axis(
      1e-4...50, scale: .logarithmic, count: 4, rounded: true, pixels: (0, 100))
    #expect(decades.position(decades.domain.lowerBound) == 0)
    #expect(decades.domain.lowerBound <= 1e-4 && decades.domain.upperBound >= 50)
    let near = Axis(3...40, scale: .logarithmic, count: 4, rounded: true, pixels: (0, 100))
    #expect(near.ticks == [2, 5, 10, 20, 50])
    #expect(near.ticks.map(near.label) == ["2", "5", "10", "20", "50"])
  }

  @Test func constantSeriesHaveAnAxis() {
    for value in [0.0, 5, -2, 1e-9] {
      let axis = Axis(value...value, count: 4, rounded: true, pixels: (0, 100))
      #expect(axis.domain.contains(value) && axis.ticks.count > 1)
    }
  }

  @Test func numerals() {
    #expect(Numerals.text(1839.04, digits: 4) == "1,839")
    #expect(Numerals.short(1) == "1" && Numerals.short(0.5) == "0.5")
    #expect(Numerals.text(0.24916) == "0.249")
    #expect(Numerals.text(26.98) == "27.0")
    #expect(Numerals.text(0.001) == "0.001")
    #expect(Numerals.text(1.25e-7) == "1.25e-07")
    #expect(Numerals.text(-1234567) == "-1,234,567")
    #expect(Numerals.duration(572) == "9 min 32 s")
    #expect(Numerals.tick(0.0005, step: 0.0005) == "0.0005")
    #expect(Numerals.tick(2e-5, step: 1e-5) == "2e-5")
  }

  @Test func namesDoNotTouch() {
    let spots = LineChart.apart([100, 101, 102, 290], by: 16, within: 10...300)
    for (one, next) in zip(spots, spots.dropFirst()) { #expect(next - one > 15.9) }
    #expect(spots.allSatisfy { (10...300).contains($0) })
  }
}

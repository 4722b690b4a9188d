import Foundation
import MetaLearning

extension Results {
  /// The tables, and how they were made, for people.
  var markdown: String {
    var parts = ["# \(experiment.title)"]
    if isSmoke { parts.append("**A smoke run: it shows that everything works, not how well.**") }
    if !experiment.about.isEmpty { parts.append(experiment.about.trimmed) }
    if chart != nil { parts.append("![\(experiment.picture?.title ?? "")](results.svg)") }
    for table in experiment.tables { parts += tables(table) }
    if !experiment.tables.contains(where: \.hasColumns) { parts += paper }
    parts.append(legend)
    let open = self.parts.filter { $0.state != "done" }
    if !open.isEmpty {
      parts.append("## What is missing")
      parts.append(open.map { "- `\($0.id)`: \($0.state)" }.joined(separator: "\n"))
    }
    parts.append("## How it was made")
    parts.append(times)
    let commands = self.parts.flatMap(\.commands).joined(separator: "\n")
    parts.append("```sh\n\(commands)\n```")
    return parts.joined(separator: "\n\n") + "\n"
  }

  private func tables(_ table: Experiment.Table) -> [String] {
    switch table.content {
    case .columns(let columns):
      return data.flatMap { set -> [String] in
        let variants = variants(on: set.name)
        let title = [table.title, set.title].filter { !$0.isEmpty }.joined(separator: " · ")
        let hasPaper = variants.contains { $0.paper[set.name] != nil }
        let body = ReportTable(
          head: [""] + columns.map(\.title) + (hasPaper ? ["paper"] : []),
          rows: variants.map { variant in
            [rowTitle(variant, set)] + columns.map { cell($0.path, variant.name, set) }
              + (hasPaper ? [variant.paper[set.name] ?? "–"] : [])
          })
        return ["## \(title)", "Numbers are \(measure(set)).", body.markdown]
      }
    case .across(let path):
      let body = ReportTable(
        head: [""] + data.map { "\($0.title) (\(Self.name($0.metric)))" },
        rows: shownVariants.map { variant in
          [variant.title]
            + data.map { set in
              cell(path, variant.name, set) + (fewerSeeds(variant, set).map { " (\($0))" } ?? "")
            }
        })
      return ["## \(table.title)", body.markdown]
    }
  }

  /// A variant's title, and how many seeds it has where others have more.
  func rowTitle(_ variant: Experiment.Variant, _ set: Experiment.DataSet) -> String {
    variant.title + (fewerSeeds(variant, set).map { " (\($0))" } ?? "")
  }

  /// `1 of 3 seeds`; nil where a variant has as many as any, or one that is its own.
  private func fewerSeeds(_ variant: Experiment.Variant, _ set: Experiment.DataSet) -> String? {
    let own = count(variant.name, set.name)
    guard experiment.isSeeded(variant), own > 0, own < seeds(set) else { return nil }
    return "\(own) of \(seeds(set)) seeds"
  }

  /// The most seeds that a variant has.
  private func seeds(_ set: Experiment.DataSet) -> Int {
    variants(on: set.name).map { count($0.name, set.name) }.max() ?? 0
  }

  /// What the paper has, where no table has a column for it.
  private var paper: [String] {
    let lines = shownVariants.flatMap { variant in
      data.compactMap { set in
        variant.paper[set.name].map { "\(variant.title), \(set.title): \($0)" }
      }
    }
    return lines.isEmpty ? [] : ["The paper: \(lines.joined(separator: "; "))."]
  }

  /// The variants that are evaluated on some data set, in the file's order.
  private var shownVariants: [Experiment.Variant] {
    experiment.variants.filter { variant in
      data.contains { set in variants(on: set.name).contains { $0.name == variant.name } }
    }
  }

  private func cell(_ path: String, _ variant: String, _ set: Experiment.DataSet) -> String {
    guard let value = estimate(path, variant, set)?.estimate else { return "–" }
    return Self.isShare(path, set) ? value.percent : value.number
  }

  /// Which share a data set's numbers are, of how many tests and seeds.
  func measure(_ set: Experiment.DataSet) -> String {
    let own = rows.filter { $0.data == set.name }
    let tests = Set(own.map { $0.report.groups * $0.report.contextsPerUpdate }).sorted()
    let seeds = seeds(set)
    var text = Self.name(set.metric)
    if !tests.isEmpty { text += " over \(tests.map(String.init).joined(separator: " / ")) tests" }
    if own.contains(where: { $0.seed != nil }) {
      text += ", \(seeds) \(seeds == 1 ? "seed" : "seeds")"
    }
    return text
  }

  private var legend: String {
    let text = """
      NC: the query alone. Prompt: the context in the prompt. FT: the query alone after one gradient \
      step on the context. ± is a standard error over tasks, and with several seeds over these too. –: \
      not there, or not defined.
      """
    let usesRecovered = experiment.tables.contains { $0.paths.contains("recovered") }
    return usesRecovered ? text + " " + recoveredLegend : text
  }

  /// What the share is, and which variants have which baseline.
  private var recoveredLegend: String {
    let others = Dictionary(
      grouping: shownVariants.filter { ![nil, $0.name].contains($0.baseline) },
      by: { experiment.baseline(of: $0.name) })
    let exceptions = others.sorted { $0.key < $1.key }.map { baseline, variants in
      let names = variants.map { "'\($0.title)'" }.joined(separator: ", ")
      return "of \(names) it is '\(experiment.title(of: baseline))'"
    }
    return """
      Recovered: (FT − FT of the baseline) / (Prompt of the baseline − FT of the baseline). The baseline is \
      \((["'\(experiment.title(of: experiment.baseline))'"] + exceptions).joined(separator: "; ")).
      """
  }

  private var times: String {
    let host = Self.host
    let seeds = Set(rows.compactMap(\.seed)).sorted()
    let table = ReportTable(
      head: ["part", "time", "anonymous memory", "finished (UTC)"],
      rows: parts.map { part in
        [
          part.title, part.seconds.map(Estimates.duration) ?? part.state,
          part.anonymousBytes.map { "\($0 >> 20) MiB" } ?? "–", part.finished ?? "–",
        ]
      })
    return """
      Model `\(plan.model)`, seeds \((seeds.isEmpty ? experiment.seeds : seeds).map(String.init).joined(separator: ", ")), \
      \(host.processors) processors, \(host.processor).\(builds)

      \(table.markdown)
      """
  }

  /// Says where parts that trained or evaluated were made by different executables.
  private var builds: String {
    let count = Set(parts.compactMap(\.executable)).count
    return count < 2
      ? ""
      : " **Different builds of imprint made these parts (\(count); `executable` in results.json).**"
  }

  /// Whether a value of a data set is printed in per cent.
  static func isShare(_ path: String, _ set: Experiment.DataSet) -> Bool {
    let path = path.replacing("$metric", with: set.metric)
    return !["nll", "loss"].contains { path.contains($0) }
  }

  static func name(_ metric: String) -> String {
    switch metric {
    case "answer_f1": "F1 of greedy answers"
    case "answer_exact_match": "exact match of greedy answers"
    default: metric.replacing("_", with: " ")
    }
  }
}

extension String {
  fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}

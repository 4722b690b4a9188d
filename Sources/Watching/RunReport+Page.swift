import Foundation
import MetaLearning

extension RunReport {
  /// The page.
  public var html: String {
    var sections = [section("Curves", charts)]
    if !evaluation.reports.isEmpty {
      sections.insert(section("Evaluation", evaluation.html), at: 0)
    }
    if let memory {
      let measured = metrics.series["anonymous_bytes"]?.values.max()
      sections.append(
        section("Memory", MemoryChart(memory, measured: measured).html))
    }
    if let rates, !rates.isEmpty {
      let map = RateMap(rates, start: configuration.first("innerLearningRate")?.number)
      sections.append(section("Learned inner rates", map.html))
    }
    sections.append(section("Configuration", configurationTables))
    return """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(name.escaped) – Imprint</title>
      <style>\(Self.stylesheet)</style>
      </head>
      <body>
      <main>
      <header><h1>\(name.escaped)</h1><p>\(subtitle)</p></header>
      <dl class="tiles">\(tiles)</dl>
      \(sections.joined(separator: "\n"))
      </main>
      <script>\(Self.script)</script>
      </body>
      </html>

      """
  }

  private func section(_ title: String, _ body: String) -> String {
    "<section><h2>\(title)</h2>\n\(body)\n</section>"
  }

  /// What the run is, in a line.
  private var subtitle: String {
    func file(_ key: String) -> String? {
      guard case .text(let path)? = configuration.first(key) else { return nil }
      return "<code>\(URL(filePath: path).lastPathComponent.escaped)</code>"
    }
    func word(_ key: String, _ label: String) -> String? {
      guard let value = configuration.first(key) else { return nil }
      if case .object = value { return nil }
      return "\(label) \(value.description.escaped)"
    }
    let isPlain = configuration.first("finetuning").map { $0 != .null } ?? false
    let method =
      isPlain
      ? ["plain fine-tuning"]
      : [word("outer", "outer"), word("inner", "inner"), word("target", "target")]
    return
      ([file("model"), file("data")] + method + [
        word("rank", "rank"), word("batchSize", "batch size"),
      ]).compactMap { $0 }.joined(separator: " · ")
  }

  private var tiles: String {
    let summary = summary
    let isDone = summary.totalSteps.map { summary.steps >= $0 } ?? true
    var tiles: [(name: String, value: String, note: String)] = [
      (
        "Steps", summary.totalSteps.map { "\(summary.steps) of \($0)" } ?? "\(summary.steps)",
        resultFile.map { $0 == "model.imprint" ? "model written" : "adapter written" }
          ?? (isDone ? "nothing written yet" : "not finished")
      )
    ]
    if let series = metrics.series["outer_loss"], let first = series.values.first,
      let last = LineChart.smoothed(series, scale: .linear).values.last
    {
      tiles.append(("Outer loss", Numerals.text(last), "\(Numerals.text(first)) in the first step"))
    }
    if let headline = evaluation.headline {
      tiles.append(("FT exact match", headline.value, headline.note))
    } else if let ft = heldOut?.series["ft_exact_match"], let share = ft.values.last,
      let step = ft.steps.last
    {
      tiles.append(
        (
          "FT exact match", "\((100 * share).rounded(to: 1)) %",
          "held-out tasks, step \(Int(step))"
        ))
    }
    if let seconds = metrics.series["seconds"]?.values.sorted(), !seconds.isEmpty {
      tiles.append(
        (
          "Time", Numerals.duration(summary.seconds),
          "median \(Numerals.duration(seconds[seconds.count / 2])) a step"
        ))
    }
    if let peak = summary.peakAnonymousBytes {
      let plan = summary.plannedBytes.map {
        "peak RssAnon; \(Int((100 * peak / $0).rounded())) % of the plan"
      }
      tiles.append(("Memory", Numerals.mebibytes(peak), plan ?? "peak RssAnon"))
    }
    return tiles.map { tile in
      "<div><dt>\(tile.name)</dt><dd>\(tile.value.escaped)<small>\(tile.note.escaped)</small></dd></div>"
    }.joined(separator: "\n")
  }

  /// Every value of the configuration, a table for each object in it.
  private var configurationTables: String {
    var tables: [(title: String, rows: [(String, String)])] = []
    func visit(_ value: JSONValue, _ title: String) {
      guard case .object(let values) = value else { return }
      var rows: [(String, String)] = []
      var inner: [(JSONValue, String)] = []
      for key in values.keys.sorted() {
        guard let value = values[key] else { continue }
        if case .object(let children) = value {
          if !children.isEmpty {
            inner.append((value, title.isEmpty ? key : "\(title).\(key)"))
          }
        } else {
          rows.append((key, value.description))
        }
      }
      if !rows.isEmpty { tables.append((title.isEmpty ? "run" : title, rows)) }
      for (value, title) in inner { visit(value, title) }
    }
    visit(configuration, "")
    return "<div class=\"cards\">"
      + tables.map { table in
        let rows = table.rows.map { key, value in
          "<tr><th>\(key.escaped)</th><td>\(value.escaped)</td></tr>"
        }
        return
          "<table><caption>\(table.title.escaped)</caption><tbody>\(rows.joined())</tbody></table>"
      }.joined(separator: "\n") + "</div>"
  }
}

/// The curves of a report.
extension RunReport {
  private static let lossNames = [
    "outer_loss": "outer", "inner_loss": "inner (context)", "prompt_loss": "Prompt form",
    "nc_loss": "NC form", "lm_loss": "plain text",
  ]
  private static let lossOrder = [
    "outer_loss", "inner_loss", "prompt_loss", "nc_loss", "lm_loss",
  ]

  /// All curves: the losses over the whole width, the others two in a row.
  var charts: String {
    var shown: Set<String> = []
    var parts: [String] = []
    if let chart = losses(&shown) { parts.append(chart.html) }
    var small = heldOutCharts
    if let series = metrics.series["gradient_norm"] {
      let limit = configuration.first("maxGradNorm")?.number
      let isWide = (series.values.max() ?? 1) > 8 * max(1e-30, series.values.min() ?? 1)
      small.append(
        LineChart(
          title: "Gradient norm", unit: "L2, before clipping",
          curves: [.init(name: "norm", color: 1, series: series)],
          levels: limit.map { [.init(name: "clipped to", value: $0)] } ?? [],
          scale: isWide ? .logarithmic : .linear))
    }
    if let series = metrics.series["learning_rate"] {
      small.append(
        LineChart(
          title: "Learning rate", unit: "Adam's",
          curves: [.init(name: "lr", color: 1, series: series)], isSmoothed: false))
    }
    if var series = metrics.series["anonymous_bytes"] {
      series.values = series.values.map { $0 / 1_048_576 }
      let plan = memory?["total"].map { $0 / 1_048_576 }
      small.append(
        LineChart(
          title: "Memory", unit: "MiB of RssAnon after the step",
          curves: [.init(name: "RssAnon", color: 1, series: series)],
          levels: plan.map { [.init(name: "plan", value: $0)] } ?? [], isSmoothed: false))
    }
    if let series = metrics.series["seconds"] {
      small.append(
        LineChart(
          title: "Time of a step", unit: "seconds",
          curves: [.init(name: "step", color: 1, series: series)]))
    }
    shown.formUnion(["gradient_norm", "learning_rate", "anonymous_bytes", "seconds"])
    if metrics.series["skipped_steps"]?.values.max() == 0 { shown.insert("skipped_steps") }
    for key in metrics.series.keys.sorted() where !shown.contains(key) {
      guard let series = metrics.series[key] else { continue }
      small.append(
        LineChart(
          title: key.replacing("_", with: " "), unit: "",
          curves: [.init(name: "", color: 1, series: series)],
          fromZero: (series.values.min() ?? 0) >= 0))
    }
    let cells = small.map { chart in
      var chart = chart
      chart.width = 490
      chart.height = 220
      return chart.html
    }
    parts.append("<div class=\"pair\">\(cells.joined(separator: "\n"))</div>")
    return parts.joined(separator: "\n")
  }

  /// NC, Prompt and FT of held-out tasks.
  private var heldOutCharts: [LineChart] {
    let forms = [("NC", "nc", 6), ("Prompt", "prompt", 3), ("FT", "ft", 1)]
    func curves(_ key: String, factor: Double) -> [LineChart.Curve] {
      forms.compactMap { name, form, color in
        heldOut?.series["\(form)_\(key)"].map { series in
          var series = series
          series.values = series.values.map { $0 * factor }
          return LineChart.Curve(name: name, color: color, series: series)
        }
      }
    }
    return [
      LineChart(
        title: "Held-out tasks", unit: "nats per token", curves: curves("nll", factor: 1),
        isSmoothed: false),
      LineChart(
        title: "Held-out tasks", unit: "exact match, %", curves: curves("exact_match", factor: 100),
        isSmoothed: false),
    ].filter { !$0.curves.isEmpty }
  }

  private func losses(_ shown: inout Set<String>) -> LineChart? {
    let keys =
      Self.lossOrder.filter { metrics.series[$0] != nil }
      + metrics.series.keys.sorted().filter {
        $0.hasSuffix("_loss") && !Self.lossOrder.contains($0)
      }
    if keys.isEmpty { return nil }
    shown.formUnion(keys)
    let curves = keys.enumerated().compactMap { index, key in
      metrics.series[key].map { series in
        LineChart.Curve(
          name: Self.lossNames[key] ?? String(key.dropLast(5)), color: index % 6 + 1,
          series: series)
      }
    }
    let isSmoothed = curves.contains { LineChart.isLong($0.series) }
    return LineChart(
      title: "Losses",
      unit: "nats per token" + (isSmoothed ? "; thin: every step, strong: running mean" : ""),
      curves: curves)
  }
}

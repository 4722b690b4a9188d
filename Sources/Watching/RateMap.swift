import Foundation

/// Learned inner rates as a heat map: layers from left to right, the tensors of a layer from top to
/// bottom, colours by how many times larger or smaller than the rate at the start.
struct RateMap {
  /// The rate at the start.
  let start: Double
  private let panels: [Panel]
  /// Tensors outside the layers.
  private let others: [(name: String, rate: Double)]
  private let reach: Double

  private struct Panel {
    var title: String
    var rows: [String]
    /// By row and layer.
    var cells: [String: [Int: Double]]
  }

  /// Rates by the tensors' names, as `inner_rates.json` has them. Without `start`, their geometric
  /// mean is the middle.
  init(_ rates: [String: Double], start: Double?) {
    let logs = rates.values.map { log($0) }
    self.start = start ?? exp(logs.reduce(0, +) / Double(max(1, logs.count)))
    let middle = self.start
    let farthest = rates.values.map { abs(log2($0 / middle)) }.max() ?? 1
    reach = max(0.25, (farthest * 4).rounded(.up) / 4)
    var panels: [String: Panel] = [:]
    var others: [(name: String, rate: Double)] = []
    for (name, rate) in rates {
      let parts = name.split(separator: ".").map(String.init)
      guard let place = parts.firstIndex(of: "layers"), place + 2 < parts.count,
        let layer = Int(parts[place + 1])
      else {
        others.append((name, rate))
        continue
      }
      var rest = parts[(place + 2)...].filter { !["self_attn", "mlp", "weight"].contains($0) }
      var title = ""
      if let last = rest.last, ["lora_A", "lora_B"].contains(last) {
        title = last == "lora_A" ? "A (down)" : "B (up)"
        rest.removeLast()
      }
      let row = rest.joined(separator: ".")
      panels[title, default: Panel(title: title, rows: [], cells: [:])]
        .cells[row, default: [:]][layer] = rate
    }
    self.others = others.sorted { $0.name < $1.name }
    self.panels = panels.keys.sorted().compactMap { panels[$0] }.map { panel in
      var panel = panel
      panel.rows = panel.cells.keys.sorted { (Self.rank($0), $0) < (Self.rank($1), $1) }
      return panel
    }
  }

  private static let order = [
    "input_layernorm", "q_proj", "k_proj", "v_proj", "o_proj", "post_attention_layernorm",
    "gate_proj", "up_proj", "down_proj",
  ]

  private static func rank(_ row: String) -> Int { order.firstIndex(of: row) ?? order.count }

  /// The figure.
  var html: String {
    let layers = (panels.flatMap { $0.cells.values.flatMap(\.keys) }.max() ?? 0) + 1
    let label = Double(panels.flatMap(\.rows).map(\.count).max() ?? 0) * 6.6 + 12
    let count = Double(panels.count)
    let gap = 28.0
    let side = min(20, (1000 - label - gap * (count - 1)) / Double(layers) / count)
    let row = max(18, min(22, side))
    let top = panels.contains { !$0.title.isEmpty } ? 24.0 : 6
    let height = top + row * Double(panels.map(\.rows.count).max() ?? 0)
    let width = label + (side * Double(layers) + gap) * count - gap
    var parts: [String] = []
    for (index, panel) in panels.enumerated() {
      let left = label + Double(index) * (side * Double(layers) + gap)
      parts.append("<text class=\"name\" x=\"\(px(left))\" y=\"14\">\(panel.title)</text>")
      for (line, name) in panel.rows.enumerated() {
        let y = top + Double(line) * row
        if index == 0 {
          parts.append(
            "<text class=\"tick\" x=\"\(px(label - 8))\" y=\"\(px(y + row / 2))\" dy=\".35em\" text-anchor=\"end\">\(name.escaped)</text>"
          )
        }
        for (layer, rate) in (panel.cells[name] ?? [:]).sorted(by: { $0.key < $1.key }) {
          parts.append(
            cell(
              left + Double(layer) * side, y, side, row, rate,
              "layer \(layer) \(name) \(panel.title.prefix(1)): \(Numerals.text(rate))"))
        }
      }
      for layer in stride(from: 0, to: layers, by: layers > 12 ? 5 : 1) {
        parts.append(
          "<text class=\"tick\" x=\"\(px(left + (Double(layer) + 0.5) * side))\" y=\"\(px(height + 16))\" text-anchor=\"middle\">\(layer)</text>"
        )
      }
      parts.append(
        "<text class=\"tick\" x=\"\(px(left + Double(layers) * side / 2))\" y=\"\(px(height + 33))\" text-anchor=\"middle\">layer</text>"
      )
    }
    return """
      <figure class="chart" style="--w:\(px(width))px">
      <svg viewBox="0 0 \(px(width)) \(px(height + 38))" role="img" aria-label="learned inner rates">
      \(parts.joined(separator: "\n"))
      </svg>
      \(legend)
      </figure>
      """
  }

  private func cell(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ rate: Double, _ title: String
  ) -> String {
    let part = log2(rate / start) / reach
    let end = part < 0 ? "cool" : "warm"
    return """
      <rect x="\(px(x))" y="\(px(y))" width="\(px(width - 1))" height="\(px(height - 1))" \
      style="fill:color-mix(in oklab,var(--\(end)) \(Int((abs(part) * 100).rounded()))%,var(--mid))">\
      <title>\(title.escaped)</title></rect>
      """
  }

  private var legend: String {
    let (low, high) = (start * exp2(-reach), start * exp2(reach))
    let rest = others.map { "\($0.name.escaped) \(Numerals.text($0.rate))" }
    let more = rest.isEmpty ? "" : "<p class=\"note\">\(rest.joined(separator: " · "))</p>"
    return """
      <p class="scale"><span>\(Numerals.text(low))</span><i></i><span>\(Numerals.text(high))</span>\
      <span class="note">η, logarithmic; the middle is \(Numerals.text(start)), where all began</span></p>
      \(more)
      """
  }
}

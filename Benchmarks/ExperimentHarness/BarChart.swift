import Foundation
import MetaLearning

/// Grouped bars with error bars, as an SVG picture.
struct BarChart {
  struct Bar {
    var value: Double
    var error: Double
  }

  struct Group {
    var title: String
    /// One of each series; nil where there is none.
    var bars: [Bar?]
  }

  struct Panel {
    var title: String
    var subtitle: String
    var groups: [Group]
  }

  var title: String
  var note: String
  var series: [String]
  var panels: [Panel]
  /// Whether values are shares, drawn in per cent up to 100.
  var isShare: Bool

  // Points.
  private static let bar = 26.0
  private static let gap = 22.0
  private static let axis = 46.0
  private static let plot = 190.0
  private static let lineHeight = 13.0
  /// The mean width of a character, as a share of the font's size.
  private static let em = 0.56
  /// That of a bold one, in the widest of the fonts that may stand in for Helvetica.
  private static let boldEm = 0.7
  private static let colours = [
    "#b9bec6", "#4c78a8", "#e07b39", "#59a14f", "#b07aa1", "#8c6d31", "#d37295", "#499894",
  ]

  private var groupWidth: Double {
    let bars = Double(series.count) * Self.bar
    let words = panels.flatMap(\.groups).flatMap { $0.title.split(separator: " ") }
    let longest = Double(words.map(\.count).max() ?? 1) * 11 * Self.em
    return max(bars, longest, 56) + Self.gap
  }

  private func width(_ panel: Panel) -> Double {
    max(
      Self.axis + max(1, Double(panel.groups.count)) * groupWidth + 10,
      Double(panel.title.count) * 14 * Self.boldEm, Double(panel.subtitle.count) * 11 * Self.em)
  }

  /// Panels side by side while they fit.
  private var rows: [[Panel]] {
    var rows: [[Panel]] = []
    var used = 0.0
    for panel in panels {
      let width = width(panel) + 24
      if rows.isEmpty || used + width > 1100 {
        rows.append([panel])
        used = width
      } else {
        rows[rows.count - 1].append(panel)
        used += width
      }
    }
    return rows
  }

  /// The most lines that a group's title takes.
  private var titleLines: Int {
    panels.flatMap(\.groups).map { lines($0.title).count }.max() ?? 1
  }

  private func lines(_ title: String) -> [String] {
    let most = Int((groupWidth - 6) / (11 * Self.em))
    var lines: [String] = []
    for word in title.split(separator: " ") {
      if let last = lines.last, last.count + 1 + word.count <= most {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }

  /// The picture.
  var svg: String {
    let panelHeight = 44 + Self.plot + 10 + Double(titleLines) * Self.lineHeight + 16
    let legendRows = legend(0).rows
    let top = 40 + Double(legendRows) * 20 + 8
    let height = top + Double(rows.count) * panelHeight + 24
    let width = totalWidth
    var parts = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(number(width))" height="\(number(height))" \
      viewBox="0 0 \(number(width)) \(number(height))" font-family="Helvetica, Arial, sans-serif" \
      role="img" aria-label="\(escaped(title))">
      """, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>",
      text(title, x: 16, y: 26, size: 17, weight: "bold"),
    ]
    parts.append(legend(40).svg)
    for (index, row) in rows.enumerated() {
      var left = 16.0
      for panel in row {
        parts.append(draw(panel, left: left, top: top + Double(index) * panelHeight))
        left += self.width(panel) + 24
      }
    }
    parts.append(text(note, x: 16, y: height - 10, size: 10.5, colour: "#666666"))
    parts.append("</svg>")
    return parts.joined(separator: "\n") + "\n"
  }

  private var totalWidth: Double {
    let panels = rows.map { $0.reduce(8) { $0 + width($1) + 24 } }.max() ?? 0
    return max(panels, Double(title.count) * 17 * Self.boldEm + 32, 480)
  }

  private func legend(_ top: Double) -> (svg: String, rows: Int) {
    var (x, y, rows) = (16.0, top, 1)
    var parts: [String] = []
    for (index, name) in series.enumerated() {
      let width = 22 + Double(name.count) * 12 * Self.em + 18
      if x > 16, x + width > totalWidth - 16 {
        x = 16
        y += 20
        rows += 1
      }
      parts.append(rectangle(x, y, 14, 12, colour(index)))
      parts.append(text(name, x: x + 20, y: y + 10.5, size: 12))
      x += width
    }
    return (parts.joined(separator: "\n"), rows)
  }

  // MARK: A panel

  /// The axis: its end, and the distance of its lines.
  private func scale(_ panel: Panel) -> (top: Double, step: Double) {
    let most =
      panel.groups.flatMap(\.bars).compactMap { $0.map { $0.value + $0.error } }
      .filter(\.isFinite).max() ?? 1
    if isShare { return (max(1, (most * 5).rounded(.up) / 5), 0.2) }
    let raw = max(most, 1e-9) / 4
    let power = pow(10, floor(log10(raw)))
    let step = ([1, 2, 2.5, 5, 10].first { $0 * power >= raw } ?? 10) * power
    return ((most / step).rounded(.up) * step, step)
  }

  private func draw(_ panel: Panel, left: Double, top: Double) -> String {
    let (most, step) = scale(panel)
    let (plotTop, bottom) = (top + 44, top + 44 + Self.plot)
    let start = left + Self.axis
    let end = left + width(panel)
    func height(_ value: Double) -> Double {
      bottom - Self.plot * min(max(value, 0), most) / most
    }
    var parts = [
      text(panel.title, x: left, y: top + 16, size: 14, weight: "bold"),
      text(panel.subtitle, x: left, y: top + 31, size: 11, colour: "#666666"),
    ]
    var value = 0.0
    while value <= most * 1.0001 {
      let y = height(value)
      let colour = value == 0 ? "#444444" : "#e3e5e8"
      parts.append(line(start, y, end, y, colour))
      let label = isShare ? "\((value * 100).rounded(to: 0)) %" : tick(value, step)
      parts.append(
        text(label, x: start - 6, y: y + 3.5, size: 10, colour: "#555555", anchor: "end"))
      value += step
    }
    for (index, group) in panel.groups.enumerated() {
      let middle = start + (Double(index) + 0.5) * groupWidth
      let first = middle - Double(series.count) * Self.bar / 2
      for (place, bar) in group.bars.enumerated() {
        let x = first + Double(place) * Self.bar
        parts.append(
          draw(bar, x: x, colour: colour(place), bottom: bottom, plotTop: plotTop, height: height))
      }
      for (line, title) in lines(group.title).enumerated() {
        parts.append(
          text(
            title, x: middle, y: bottom + 16 + Double(line) * Self.lineHeight, size: 11,
            anchor: "middle"))
      }
    }
    return parts.joined(separator: "\n")
  }

  private func draw(
    _ bar: Bar?, x: Double, colour: String, bottom: Double, plotTop: Double,
    height: (Double) -> Double
  ) -> String {
    let middle = x + Self.bar / 2
    guard let bar, bar.value.isFinite else {
      return text("–", x: middle, y: bottom - 4, size: 11, colour: "#888888", anchor: "middle")
    }
    let y = height(bar.value)
    let (low, high) = (height(bar.value - bar.error), height(bar.value + bar.error))
    var parts = [rectangle(x + 1.5, y, Self.bar - 3, max(bottom - y, 0.5), colour)]
    if bar.error > 0 {
      parts.append(line(middle, low, middle, high, "#222222", 1.2))
      for end in [low, high] {
        parts.append(line(middle - 4, end, middle + 4, end, "#222222", 1.2))
      }
    }
    let label =
      isShare
      ? (bar.value * 100).rounded(to: abs(bar.value) < 0.0995 ? 1 : 0) : bar.value.rounded(to: 2)
    parts.append(
      text(
        label, x: middle, y: max(min(high, y) - 4, plotTop - 3), size: 10, colour: "#222222",
        anchor: "middle"))
    return parts.joined(separator: "\n")
  }

  private func tick(_ value: Double, _ step: Double) -> String {
    value.rounded(to: step >= 1 ? (step == step.rounded() ? 0 : 1) : step >= 0.1 ? 2 : 3)
  }

  // MARK: Elements

  private func colour(_ series: Int) -> String { Self.colours[series % Self.colours.count] }

  private func number(_ value: Double) -> String { value.rounded(to: 1) }

  private func rectangle(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ colour: String
  ) -> String {
    "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" "
      + "height=\"\(number(height))\" fill=\"\(colour)\"/>"
  }

  private func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ colour: String, _ width: Double = 1
  ) -> String {
    "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" "
      + "stroke=\"\(colour)\" stroke-width=\"\(number(width))\"/>"
  }

  private func text(
    _ text: String, x: Double, y: Double, size: Double, colour: String = "#222222",
    weight: String = "normal", anchor: String = "start"
  ) -> String {
    "<text x=\"\(number(x))\" y=\"\(number(y))\" font-size=\"\(number(size))\" "
      + "font-weight=\"\(weight)\" fill=\"\(colour)\" text-anchor=\"\(anchor)\">"
      + escaped(text) + "</text>"
  }

  private func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}

import Foundation

/// Curves over the steps of a run, as SVG.
///
/// A thin line is every step, a strong one the mean of the steps around; names stand at the ends of
/// the lines.
package struct LineChart {
  /// One curve.
  struct Curve {
    var name: String
    /// A number of the palette, from 1.
    var color: Int
    var series: MetricsLog.Series
  }

  /// A level to compare with.
  struct Level {
    var name: String
    var value: Double
  }

  var title: String
  /// What the values are, for example "nats per token".
  var unit: String
  var curves: [Curve]
  var levels: [Level] = []
  var scale = Axis.Scale.linear
  var isSmoothed = true
  /// Whether the axis begins at zero.
  var fromZero = true
  var width = 1000.0
  var height = 300.0

  private var margin: (left: Double, right: Double, top: Double, bottom: Double) {
    let names = curves.map { "\($0.name) \(Numerals.text($0.series.values.last ?? 0))" }
    let marks = levels.map { "\($0.name) \(Numerals.short($0.value))" }
    let longest = (names + marks).map(\.count).max() ?? 0
    return (56, 24 + 7.6 * Double(longest), 12, 40)
  }

  /// The figure: a heading and the drawing.
  var html: String {
    """
    <figure class="chart" style="--w:\(px(width))px">
    <figcaption><b>\(title.escaped)</b> <span>\(unit.escaped)</span><output></output></figcaption>
    \(svg)
    </figure>
    """
  }

  private var svg: String {
    let (x, y) = axes
    let smooth = curves.map { isSmoothed ? Self.smoothed($0.series, scale: scale) : $0.series }
    var parts = [grid(x, y)]
    for level in levels where y.domain.contains(level.value) {
      let height = px(y.position(level.value))
      parts.append(
        "<path class=\"level\" d=\"M\(px(margin.left)) \(height)H\(px(width - margin.right))\"/>")
    }
    for (curve, mean) in zip(curves, smooth) {
      if isSmoothed {
        parts.append(
          "<path class=\"raw c\(curve.color)\" d=\"\(Self.path(curve.series, x, y))\"/>")
      }
      parts.append("<path class=\"line c\(curve.color)\" d=\"\(Self.path(mean, x, y))\"/>")
      if mean.steps.count <= 12 {
        for (step, value) in zip(mean.steps, mean.values) {
          parts.append(
            "<circle class=\"dot c\(curve.color)\" cx=\"\(px(x.position(step)))\" cy=\"\(px(y.position(value)))\" r=\"3\"/>"
          )
        }
      }
    }
    parts.append(names(smooth, y))
    parts.append("<path class=\"cross\" d=\"\"/>")
    let data = hoverData(x)
    return """
      <svg viewBox="0 0 \(px(width)) \(px(height))" role="img" aria-label="\(title.escaped)" \
      data-x="\(px(margin.left)) \(px(width - margin.right)) \(px(margin.top)) \(px(height - margin.bottom))" \
      data-values="\(data.escaped)">
      \(parts.joined(separator: "\n"))
      </svg>
      """
  }

  private var axes: (x: Axis, y: Axis) {
    let steps = curves.flatMap(\.series.steps)
    var values = curves.flatMap(\.series.values) + levels.map(\.value)
    if scale == .linear && fromZero { values.append(0) }
    if scale == .logarithmic { values.removeAll { $0 <= 0 } }
    let x = Axis(
      Self.range(steps), count: max(4, Int(width / 80)), rounded: false,
      pixels: (margin.left, width - margin.right))
    let y = Axis(
      Self.range(values), scale: scale, count: max(3, Int(height / 60)), rounded: true,
      pixels: (height - margin.bottom, margin.top))
    return (x, y)
  }

  private func grid(_ x: Axis, _ y: Axis) -> String {
    var parts: [String] = []
    for tick in y.ticks {
      let at = px(y.position(tick))
      parts.append(
        "<path class=\"grid\" d=\"M\(px(margin.left)) \(at)H\(px(width - margin.right))\"/>"
          + "<text class=\"tick\" x=\"\(px(margin.left - 8))\" y=\"\(at)\" dy=\".35em\" text-anchor=\"end\">\(y.label(tick))</text>"
      )
    }
    let bottom = height - margin.bottom
    for tick in x.ticks where tick == tick.rounded() {
      let at = px(x.position(tick))
      parts.append(
        "<path class=\"axis\" d=\"M\(at) \(px(bottom))v5\"/>"
          + "<text class=\"tick\" x=\"\(at)\" y=\"\(px(bottom + 18))\" text-anchor=\"middle\">\(x.label(tick))</text>"
      )
    }
    parts.append(
      "<path class=\"axis\" d=\"M\(px(margin.left)) \(px(bottom))H\(px(width - margin.right))\"/>"
        + "<text class=\"tick\" x=\"\(px((margin.left + width - margin.right) / 2))\" y=\"\(px(height - 5))\" text-anchor=\"middle\">step</text>"
    )
    return parts.joined(separator: "\n")
  }

  /// Names and last values at the right, moved apart where they would touch.
  private func names(_ smooth: [MetricsLog.Series], _ y: Axis) -> String {
    var places: [(at: Double, text: String)] = []
    for (curve, mean) in zip(curves, smooth) {
      guard let last = mean.values.last else { continue }
      let value = Numerals.text(last)
      places.append(
        (
          y.position(last),
          "<tspan class=\"name c\(curve.color)\">\(curve.name.escaped)</tspan> <tspan class=\"value\">\(value)</tspan>"
        ))
    }
    for level in levels where y.domain.contains(level.value) {
      places.append(
        (
          y.position(level.value),
          "<tspan class=\"tick\">\(level.name.escaped) \(Numerals.short(level.value))</tspan>"
        ))
    }
    places.sort { $0.at < $1.at }
    let spots = Self.apart(places.map(\.at), by: 16, within: margin.top...height - margin.bottom)
    return zip(places, spots).map { place, at in
      "<text x=\"\(px(width - margin.right + 8))\" y=\"\(px(at))\" dy=\".35em\">\(place.text)</text>"
    }.joined(separator: "\n")
  }

  /// The values at the steps that a pointer may ask for, as JSON.
  private func hoverData(_ x: Axis) -> String {
    let steps = Set(curves.flatMap(\.series.steps)).sorted()
    let every = max(1, steps.count / 500)
    let rows = curves.map { Dictionary(zip($0.series.steps, $0.series.values)) { $1 } }
    let columns = steps.indices.filter { $0 % every == 0 || $0 == steps.count - 1 }.map { index in
      let values = rows.map { row in
        row[steps[index]].map { "\"\(Numerals.text($0))\"" } ?? "null"
      }
      return
        "[\(px(x.position(steps[index]))),\(Int(steps[index])),\(values.joined(separator: ","))]"
    }
    let names = curves.map { "\"\($0.name.replacing("\"", with: "'"))\"" }
    return
      "{\"names\":[\(names.joined(separator: ","))],\"rows\":[\(columns.joined(separator: ","))]}"
  }

  private static func range(_ values: [Double]) -> ClosedRange<Double> {
    guard let low = values.min(), let high = values.max() else { return 0...1 }
    return low...high
  }

  /// Whether a series has enough values to be smoothed.
  static func isLong(_ series: MetricsLog.Series) -> Bool { series.values.count > 40 }

  /// The mean of the steps around, nearer ones counting more, over about a twelfth of the run in
  /// all: a running mean of a running mean. Short series stay as they are. On a logarithmic scale the mean of logarithms.
  static func smoothed(_ series: MetricsLog.Series, scale: Axis.Scale) -> MetricsLog.Series {
    guard isLong(series) else { return series }
    let count = series.values.count
    let isLog = scale == .logarithmic && series.values.allSatisfy { $0 > 0 }
    var values = isLog ? series.values.map { log($0) } : series.values
    let reach = max(1, count / 48)
    for _ in 0..<2 {
      var sums = [0.0]
      for value in values { sums.append(sums[sums.count - 1] + value) }
      for index in 0..<count {
        let (from, to) = (max(0, index - reach), min(count, index + reach + 1))
        values[index] = (sums[to] - sums[from]) / Double(to - from)
      }
    }
    return MetricsLog.Series(
      steps: series.steps, values: isLog ? values.map { exp($0) } : values)
  }

  /// The line through a series; of many points, the lowest and highest of each pixel.
  private static func path(_ series: MetricsLog.Series, _ x: Axis, _ y: Axis) -> String {
    var points: [(x: Double, y: Double)] = []
    var column: [(x: Double, y: Double)] = []
    func flush() {
      if let low = column.min(by: { $0.y < $1.y }), let high = column.max(by: { $0.y < $1.y }) {
        points += column.count < 3 ? column : low.x < high.x ? [low, high] : [high, low]
      }
      column = []
    }
    for (step, value) in zip(series.steps, series.values) {
      let point = (x: x.position(step), y: y.position(value))
      if let first = column.first, point.x - first.x >= 1 { flush() }
      column.append(point)
    }
    flush()
    return points.enumerated().map { "\($0 == 0 ? "M" : "L")\(px($1.x)) \(px($1.y))" }
      .joined()
  }

  /// Rising positions moved so that neighbours are `distance` apart.
  package static func apart(
    _ positions: [Double], by distance: Double, within bounds: ClosedRange<Double>
  ) -> [Double] {
    var result = positions
    for _ in 0..<50 {
      for index in result.indices.dropFirst() {
        let overlap = distance - (result[index] - result[index - 1])
        if overlap > 0 {
          result[index - 1] -= overlap / 2
          result[index] += overlap / 2
        }
      }
      if let first = result.first, first < bounds.lowerBound { result[0] = bounds.lowerBound }
      if let last = result.last, last > bounds.upperBound {
        result[result.count - 1] = bounds.upperBound
      }
    }
    return result
  }
}

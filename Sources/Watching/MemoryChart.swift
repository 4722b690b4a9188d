/// What was planned, component by component, each bar from where the last ended; and what was
/// measured, on the same scale.
struct MemoryChart {
  /// Bytes by component, the largest first.
  let components: [(name: String, bytes: Double)]
  /// Their sum.
  let planned: Double
  /// The largest RssAnon of the steps, bytes.
  let measured: Double?

  /// The parts of `memory.json`.
  init(_ parts: [String: Double], measured: Double?) {
    components = parts.filter { $0.key != "total" && $0.value > 0 }
      .map { (name: $0.key, bytes: $0.value) }
      .sorted { ($1.bytes, $0.name) < ($0.bytes, $1.name) }
    planned = parts["total"] ?? components.reduce(0) { $0 + $1.bytes }
    self.measured = measured
  }

  /// The figure.
  var html: String {
    let (width, left, right, row, top) = (1000.0, 190.0, 150.0, 26.0, 6.0)
    let rows = components.count + 1 + (measured == nil ? 0 : 1)
    let bottom = top + Double(rows) * row + 6
    let axis = Axis(
      0...max(planned, measured ?? 0) / 1_048_576, count: 7, rounded: false,
      pixels: (left, width - right))
    var parts: [String] = []
    for tick in axis.ticks {
      let x = px(axis.position(tick))
      parts.append(
        "<path class=\"grid\" d=\"M\(x) \(px(top))V\(px(bottom))\"/>"
          + "<text class=\"tick\" x=\"\(x)\" y=\"\(px(bottom + 16))\" text-anchor=\"middle\">\(axis.label(tick))</text>"
      )
    }
    func bar(_ index: Int, _ name: String, _ from: Double, _ to: Double, _ kind: String) {
      let y = top + Double(index) * row
      let (start, end) = (axis.position(from / 1_048_576), axis.position(to / 1_048_576))
      let value = Numerals.mebibytes(to - from)
      let percent = Int((100 * (to - from) / planned).rounded())
      let share = kind == "part" ? " · \(percent == 0 ? "< 1" : "\(percent)") %" : ""
      let strong = kind == "part" ? "" : " strong"
      parts.append(
        """
        <text class="label\(strong)" x="\(px(left - 10))" y="\(px(y + row / 2))" dy=".35em" text-anchor="end">\(name.escaped)</text>
        <rect class="\(kind)" x="\(px(start))" y="\(px(y + 4))" width="\(px(max(1.5, end - start)))" height="\(px(row - 8))" rx="2"/>
        <text class="tick\(strong)" x="\(px(end + 7))" y="\(px(y + row / 2))" dy=".35em">\(value)\(share)</text>
        """)
    }
    var sum = 0.0
    for (index, part) in components.enumerated() {
      bar(index, part.name, sum, sum + part.bytes, "part")
      sum += part.bytes
    }
    bar(components.count, "planned, in all", 0, planned, "planned")
    if let measured { bar(components.count + 1, "measured peak RssAnon", 0, measured, "measured") }
    return """
      <figure class="chart" style="--w:\(px(width))px">
      <svg viewBox="0 0 \(px(width)) \(px(bottom + 36))" role="img" aria-label="memory by component">
      \(parts.joined(separator: "\n"))
      <text class="tick" x="\(px((left + width - right) / 2))" y="\(px(bottom + 32))" text-anchor="middle">MiB</text>
      </svg>
      </figure>
      """
  }
}

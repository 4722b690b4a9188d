import Foundation

/// The way from values to pixels along one side of a chart, and the values that are marked.
package struct Axis {
  /// How values are spread.
  package enum Scale {
    case linear
    case logarithmic
  }

  let scale: Scale
  package private(set) var domain: ClosedRange<Double>
  package private(set) var ticks: [Double] = []
  private let step: Double
  private let pixels: (from: Double, to: Double)

  /// An axis over `values` with about `count` ticks. It ends at ticks where it is `rounded`.
  package init(
    _ values: ClosedRange<Double>, scale: Scale = .linear, count: Int, rounded: Bool,
    pixels: (from: Double, to: Double)
  ) {
    self.pixels = pixels
    let isLog = scale == .logarithmic && values.lowerBound > 0
    self.scale = isLog ? .logarithmic : .linear
    var (low, high) = (values.lowerBound, values.upperBound)
    if isLog {
      if high <= low { (low, high) = (low / 2, high * 2) }
      let marks = Self.logarithmicTicks(low, high, count: count)
      ticks = marks.filter { rounded || (low...high).contains($0) }
      step = 0
      domain = rounded ? min(low, marks[0])...max(high, marks[marks.count - 1]) : low...high
      return
    }
    if high <= low {
      let room = low == 0 ? 1 : abs(low) / 2
      (low, high) = (low - room, high + room)
      if values.lowerBound >= 0 { low = max(0, low) }
    }
    let step = Self.niceStep((high - low) / Double(count))
    self.step = step
    let first = (rounded ? (low / step + 1e-9).rounded(.down) : (low / step - 1e-9).rounded(.up))
    let last = (rounded ? (high / step - 1e-9).rounded(.up) : (high / step + 1e-9).rounded(.down))
    ticks = last < first ? [] : (Int(first)...Int(last)).map { Double($0) * step }
    domain = rounded ? first * step...last * step : low...high
  }

  /// Where `value` is.
  package func position(_ value: Double) -> Double {
    let part =
      scale == .linear
      ? (value - domain.lowerBound) / (domain.upperBound - domain.lowerBound)
      : log(max(value, domain.lowerBound) / domain.lowerBound)
        / log(domain.upperBound / domain.lowerBound)
    return pixels.from + part * (pixels.to - pixels.from)
  }

  /// What stands at a tick.
  package func label(_ tick: Double) -> String {
    let decade = scale == .linear ? step : pow(10, floor(log10(tick) + 1e-9))
    return Numerals.tick(tick, step: decade)
  }

  /// 1, 2 or 5 times a power of ten, no less than `width`.
  static func niceStep(_ width: Double) -> Double {
    let decade = pow(10, floor(log10(width)))
    for factor in [1.0, 2, 5] where factor * decade >= width * (1 - 1e-9) {
      return factor * decade
    }
    return 10 * decade
  }

  /// From the tick below `low` to that above `high`: decades, or 1, 2 and 5 in each.
  private static func logarithmicTicks(_ low: Double, _ high: Double, count: Int) -> [Double] {
    let decades = log10(high / low)
    let factors: [Double] = decades > Double(count) / 2 ? [1] : [1, 2, 5]
    let every = max(1, Int((decades / Double(count)).rounded(.up)))
    var all: [Double] = []
    let (first, last) = (Int(floor(log10(low) + 1e-9)), Int(ceil(log10(high) - 1e-9)))
    for exponent in first...max(first, last) where (exponent - first) % every == 0 {
      all += factors.map { $0 * pow(10, Double(exponent)) }
    }
    if every > 1 || all.last ?? 0 < high { all.append(pow(10, Double(last + every - 1))) }
    let start = all.lastIndex { $0 <= low * (1 + 1e-9) } ?? 0
    let end = all.firstIndex { $0 >= high * (1 - 1e-9) } ?? all.count - 1
    return Array(all[start...max(start, end)])
  }
}

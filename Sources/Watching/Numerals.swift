import Foundation

/// Numbers as people read them.
package enum Numerals {
  /// With `digits` significant digits, thousands grouped: `1,839`, `26.98`, `0.000125`, `1.2e-07`.
  package static func text(_ value: Double, digits: Int = 3) -> String {
    guard value.isFinite else { return "\(value)" }
    if value == 0 { return "0" }
    let exponent = Int(floor(log10(abs(value))))
    if exponent < -4 || exponent > 8 { return String(format: "%.\(digits - 1)e", value) }
    let behind = max(0, digits - 1 - exponent)
    var text = String(format: "%.\(behind)f", value)
    if behind > 0, exponent < -1 {
      while text.last == "0" { text.removeLast() }
    }
    return grouped(text)
  }

  /// As ``text(_:digits:)``, without zeros at the end: `1`, `0.5`, `1,839`.
  package static func short(_ value: Double) -> String {
    var text = text(value)
    guard text.contains("."), !text.contains("e") else { return text }
    while text.last == "0" { text.removeLast() }
    if text.last == "." { text.removeLast() }
    return text
  }

  /// A tick of an axis whose ticks are `step` apart.
  package static func tick(_ value: Double, step: Double) -> String {
    if value == 0 { return "0" }
    let smallest = min(step, abs(value))
    if smallest < 1e-4 || abs(value) >= 1e9 {
      let text = String(format: "%.1e", value)
      return text.replacing(".0e", with: "e").replacing("e-0", with: "e-")
        .replacing("e+0", with: "e")
    }
    let behind = max(0, -Int(floor(log10(step) + 1e-9)))
    return grouped(String(format: "%.\(behind)f", value))
  }

  /// Bytes in MiB, or in KiB where they are fewer.
  static func mebibytes(_ bytes: Double) -> String {
    bytes < 1_048_576 ? text(bytes / 1024) + " KiB" : text(bytes / 1_048_576) + " MiB"
  }

  /// `9 min 32 s`.
  package static func duration(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    if seconds < 1 { return text(seconds * 1000) + " ms" }
    if seconds < 10 { return text(seconds) + " s" }
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole / 60 % 60) min"
  }

  private static func grouped(_ text: String) -> String {
    let point = text.firstIndex(of: ".") ?? text.endIndex
    var whole = String(text[..<point])
    let sign = whole.hasPrefix("-") ? "-" : ""
    whole.removeFirst(sign.count)
    var parts: [Substring] = []
    var rest = whole[...]
    while rest.count > 3 {
      parts.insert(rest.suffix(3), at: 0)
      rest = rest.dropLast(3)
    }
    parts.insert(rest, at: 0)
    return sign + parts.joined(separator: ",") + text[point...]
  }
}

extension String {
  /// Safe as text and as an attribute's value in HTML and SVG.
  var escaped: String {
    replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}

/// A coordinate in SVG.
func px(_ value: Double) -> String {
  let text = String(format: "%.1f", value)
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}

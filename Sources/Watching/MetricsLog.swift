import Foundation
import MetaLearning
import Storage

/// `metrics.jsonl` as series: whatever numbers its rows have.
struct MetricsLog {
  /// A number over the steps; rows without it are left out.
  struct Series {
    /// Steps, rising.
    var steps: [Double] = []
    /// As many values.
    var values: [Double] = []
  }

  /// Series by key, for example `outer_loss`.
  private(set) var series: [String: Series] = [:]
  /// The last step.
  private(set) var lastStep = 0

  /// Reads the file at `path`. A last line without a line feed is still being written and is left
  /// out; of a step that was done twice the later row counts.
  ///
  /// Throws ``FileError`` where it is missing, a row is not an object with a step, or there is none.
  init(path: String) throws(FileError) {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw FileError(path: path, "cannot be read")
    }
    var rows: [Int: [String: Double]] = [:]
    let end = data.lastIndex(of: 0x0a) ?? data.startIndex
    for (index, line) in data[..<end].split(separator: 0x0a).enumerated() {
      guard let object = try? JSONDecoder().decode([String: JSONValue].self, from: Data(line)),
        let step = object["step"]?.number, step >= 0, step < 1e15
      else {
        throw FileError(
          path: path, "line \(index + 1): expected an object with a number 'step'")
      }
      let numbers = object.compactMapValues(\.number)
      rows[Int(step), default: [:]].merge(numbers) { _, new in new }
    }
    guard let last = rows.keys.max() else { throw FileError(path: path, "holds no step") }
    lastStep = last
    for step in rows.keys.sorted() {
      for (key, value) in rows[step] ?? [:] where key != "step" && value.isFinite {
        series[key, default: Series()].steps.append(Double(step))
        series[key, default: Series()].values.append(value)
      }
    }
  }

  /// The numbers of `metrics` under the keys of `metrics.jsonl`.
  static func numbers(of metrics: some Encodable) -> [String: Double] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard let data = try? encoder.encode(metrics),
      let object = try? JSONDecoder().decode([String: JSONValue].self, from: data)
    else { return [:] }
    return object.compactMapValues { value in
      if case .text(let text) = value { Double(text) } else { value.number }
    }
  }
}

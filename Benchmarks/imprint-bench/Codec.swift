import ArgumentParser
import BenchmarkSuites
import Foundation
import Invocation
import Weights

struct Codec: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the weight file's coding next to lz4, zstd and plain copies, on one core.",
    discussion: "Example: imprint-bench codec --model smollm2.imprint")

  @OptionGroup var config: ConfigOptions

  @Option(help: "A weight file whose tensors are measured, too.")
  var model: String?

  @Option(help: "Gaussian weights to make.")
  var weights = 16_777_216

  @Flag(help: "Print JSON.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  func validate() throws {
    guard (1024...1 << 30).contains(weights) else {
      throw ValidationError("--weights must be 1024 to 2^30.")
    }
  }

  func run() throws {
    try reportingErrors {
      let file = try model.map { try WeightFile(path: $0) }
      if let file { verbosity.note(file.summary) }
      let rows = try CodecSuite(count: weights).run(file: file)
      if json {
        try printJSON(rows)
        return
      }
      func column(_ text: String, _ width: Int) -> String {
        text.padding(toLength: width, withPad: " ", startingAt: 0)
      }
      func number(_ value: Double?, _ format: String) -> String {
        value.map { $0.isNaN ? "–" : String(format: format, $0) } ?? "–"
      }
      print(
        column("weights", 20), column("coding", 24), column("ratio", 8),
        column("copy or unpack", 16), "to f32")
      for row in rows {
        print(
          column(row.weights, 20), column(row.coding, 24), column(number(row.ratio, "%.3f"), 8),
          column(number(row.decompress, "%.1f GB/s"), 16), number(row.toFloat, "%.1f GB/s"))
      }
    }
  }
}

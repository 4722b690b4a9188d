import ArgumentParser
import Foundation
import Invocation
import MetaLearning
import Weights

struct Drift: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how far thread counts and OpenBLAS kernels move a meta-gradient.",
    discussion: """
      Every case is computed twice, each time by a process of its own: whether the bits are the same \
      is said, and the relative L2 distance from the first case.

      Example: imprint-bench drift --model smollm2.imprint --adapter run --tasks tasks.jsonl \
      --threads 1,2,4 --kernels Haswell,SkylakeX
      """)

  @OptionGroup var config: ConfigOptions

  @OptionGroup var inputs: GradientInputs

  @Option(help: "What the inner step moves: lora or full.")
  var inner: InnerStep = .lora

  @Option(help: "The inner learning rate.")
  var innerLr = 0.1

  @Option(help: "Thread counts, parted by commas.")
  var threads = "1,2,4"

  @Option(
    help: "Names of OpenBLAS kernels that this processor can run, as for OPENBLAS_CORETYPE.")
  var kernels: String?

  @Flag(help: "Print JSON.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  private var counts: [Int?] { threads.split(separator: ",").map { Int($0) } }

  func validate() throws {
    guard !counts.isEmpty, counts.allSatisfy({ (1...1024).contains($0 ?? 0) }) else {
      throw ValidationError("--threads must be numbers of 1 to 1024, parted by commas.")
    }
  }

  private struct Row: Encodable {
    var threads: Int
    var kernel: String
    var isRepeatable: Bool
    var relativeDifference: Double
  }

  func run() throws {
    try reportingErrors {
      let folder = FileManager.default.temporaryDirectory.appending(
        path: "imprint-drift-\(ProcessInfo.processInfo.processIdentifier)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let out = folder.appending(path: "gradient.safetensors").path(percentEncoded: false)
      let named = kernels?.split(separator: ",").map { String($0) } ?? []
      var rows: [Row] = []
      var reference: [Float] = []
      if !json { say("threads  kernel      same bits twice  relative L2 from the first") }
      for kernel in [nil] + named.map({ Optional($0) }) {
        for count in counts.compactMap({ $0 }) {
          let first = try gradient(threads: count, kernel: kernel, out: out)
          let second = try gradient(threads: count, kernel: kernel, out: out)
          if reference.isEmpty { reference = first }
          let row = Row(
            threads: count, kernel: kernel ?? "as it is",
            isRepeatable: zip(first, second).allSatisfy { $0.bitPattern == $1.bitPattern },
            relativeDifference: Self.distance(first, reference))
          rows.append(row)
          guard !json else { continue }
          let columns = [
            ("\(row.threads)", 9), (row.kernel, 12), (row.isRepeatable ? "yes" : "NO", 17),
          ]
          say(
            columns.map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined()
              + String(format: "%.1e", row.relativeDifference))
        }
      }
      if json {
        try printJSON(rows)
      }
      if !rows.allSatisfy(\.isRepeatable) {
        throw Problem("the same call gave other bits: see above")
      }
    }
  }

  /// All numbers of the gradient that a process of its own writes, by name.
  private func gradient(threads: Int, kernel: String?, out: String) throws -> [Float] {
    verbosity.note("threads \(threads), kernel \(kernel ?? "as it is"): a process of its own")
    let answer = try OwnProcess.run(
      [
        "gradient", "--model", inputs.model, "--adapter", inputs.adapter, "--tasks", inputs.tasks,
        "--inner", inner.rawValue, "--inner-lr", "\(innerLr)", "--threads", "\(threads)", "--out",
        out,
      ] + (inputs.scale.map { ["--scale", "\($0)"] } ?? []),
      environment: kernel.map { ["OPENBLAS_CORETYPE": $0] } ?? [:])
    if let failure = answer.failure {
      throw Problem(failure.replacing("imprint-bench: ", with: ""))
    }
    let file = try SafetensorsFile(path: out)
    return try file.names.sorted().flatMap { try file.floats($0) }
  }

  private static func distance(_ a: [Float], _ b: [Float]) -> Double {
    var (difference, norm) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
      difference += (Double(x) - Double(y)) * (Double(x) - Double(y))
      norm += Double(y) * Double(y)
    }
    return (difference / norm).squareRoot()
  }
}

import ArgumentParser
import Weights

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check every byte of a weight file.",
    discussion: "Exits with 0, or with 1 and one line that names the tensor and the block.")

  @Argument(help: "The weight file.")
  var file: String

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false

  func run() throws {
    try reportingErrors {
      let weights = try WeightFile(path: file)
      var line = ProgressLine(quiet: quiet)
      try weights.verify { done, total in line.show("verifying", done, total) }
      line.clear()
      if !quiet {
        let blocks = weights.tensors.reduce(0) { $0 + $1.blockCount }
        print("\(file): \(weights.tensors.count) tensors, \(blocks) blocks, all checksums right")
      }
    }
  }
}

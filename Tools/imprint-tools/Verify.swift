import ArgumentParser
import Invocation
import Watching
import Weights

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check every byte of a weight file.",
    discussion: """
      Exits with 0, or with 1 and one line that names the tensor and the block.

      Example: imprint-tools verify smollm2.imprint
      """)

  @OptionGroup var config: ConfigOptions

  @Argument(help: "The weight file.")
  var file: String

  @Flag(help: "Print the result as JSON.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  struct VerifiedFile: Encodable {
    var file: String
    var tensors: Int
    var blocks: Int
    var fingerprint: String
  }

  func run() throws {
    try reportingErrors {
      let weights = try WeightFile(path: file)
      verbosity.note(weights.summary)
      var line = ProgressLine(quiet: verbosity.quiet)
      try weights.verify { done, total in line.show("verifying", done, total) }
      line.clear()
      let blocks = weights.tensors.reduce(0) { $0 + $1.blockCount }
      if json {
        try printJSON(
          VerifiedFile(
            file: file, tensors: weights.tensors.count, blocks: blocks,
            fingerprint: "\(weights.fingerprint)"))
      } else if !verbosity.quiet {
        print("\(file): \(weights.tensors.count) tensors, \(blocks) blocks, all checksums right")
      }
    }
  }
}

import ArgumentParser
import Conversion
import Invocation
import Storage
import Watching
import Weights

struct Synthesize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a weight file of a known shape with random weights.",
    discussion: """
      For measuring memory and time at sizes whose checkpoints are not at hand. Weights are \
      Gaussian bf16, the same for the same seed, and written tensor by tensor in bounded memory. \
      The file has no tokenizer (inspect says so): tasks must be in token ids.

      Names: \(NamedArchitecture.names.joined(separator: ", ")).

      Example: imprint-tools synthesize --architecture llama-3.2-1b llama-1b.imprint
      """)

  @OptionGroup var config: ConfigOptions

  @Option(help: "A name (see above), a config.json, or a folder with one.")
  var architecture: String

  @Argument(help: "The weight file to write.")
  var output: String

  @Option(help: "Decides the weights.")
  var seed: UInt64 = 0

  @Option(help: "Write the first layers only.")
  var layers: Int?

  @Option(help: "The standard deviation of matrices and biases.")
  var std = 0.02

  @Option(help: "fast (LZ4) or high (LZ4 HC: slower to write, smaller).")
  var level: CompressionLevel = .fast

  @Flag(help: "Do not read the output again to check it.")
  var noVerify = false

  @Flag(help: "Print the result as JSON.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  func validate() throws {
    guard std > 0, std < 100 else {
      throw ValidationError("--std must be a positive number below 100.")
    }
    if let layers, layers < 1 { throw ValidationError("--layers must be positive.") }
    if NamedArchitecture.find(architecture) == nil,
      !architecture.contains("/"), !architecture.hasSuffix(".json")
    {
      throw ValidationError(
        "--architecture: '\(architecture)' is neither the path of a config.json nor one of "
          + NamedArchitecture.names.joined(separator: " ") + ".")
    }
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      let start = ContinuousClock.now
      var line = ProgressLine(quiet: verbosity.quiet)
      let source = try source()
      verbosity.note("architecture: \(architecture), \(source.architecture.summary)")
      let summary = try Converter(output: output, level: level).convert(source) { done, total in
        line.show("writing", done, total)
      }
      let seconds = (ContinuousClock.now - start).inSeconds
      if !noVerify {
        try WeightFile(path: output).verify { done, total in line.show("verifying", done, total) }
      }
      line.clear()
      if json {
        try printJSON(WrittenFile(output, summary, seconds: seconds))
        return
      }
      if verbosity.quiet { return }
      let (raw, file) = (summary.written.rawBytes, summary.written.fileBytes)
      print(
        """
        \(output): random weights, \(rounded(Double(raw) / 2e6, 1)) M parameters in \
        \(summary.tensors) tensors, no tokenizer, \(mebibytes(raw)) → \(mebibytes(file)) (ratio \
        \(rounded(Double(file) / Double(raw), 3))), \(rounded(Double(raw) / seconds / 1e6, 0)) \
        MB/s, peak RssAnon \(mebibytes(summary.peakAnonymous))
        """)
    }
  }

  private func source() throws -> SyntheticSource {
    if let named = NamedArchitecture.find(architecture) {
      return try SyntheticSource(
        architecture: named, layers: layers, seed: seed, standardDeviation: std)
    }
    let config = try SyntheticSource.architecture(config: architecture)
    return try SyntheticSource(
      architecture: config.architecture, layers: layers, seed: seed, standardDeviation: std,
      paths: [config.path])
  }
}

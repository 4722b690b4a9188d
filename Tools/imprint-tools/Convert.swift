public import ArgumentParser
import Conversion
import Invocation
import Storage
import Watching
public import Weights

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Convert a model into an .imprint weight file.",
    discussion: """
      SOURCE is a GGUF file, a safetensors file beside its config.json, or a Hugging Face model \
      folder; its format is told from its content. Quantised blocks stay as they are. The output \
      appears when it is complete.

      Example: imprint-tools convert SmolLM2-135M-Instruct.Q4_1.gguf smollm2.imprint
      """)

  @OptionGroup var config: ConfigOptions

  @Argument(help: "The model to read.")
  var source: String

  @Argument(help: "The weight file to write.")
  var output: String

  @Option(help: "fast (LZ4) or high (LZ4 HC: slower to write, smaller).")
  var level: CompressionLevel = .fast

  @Flag(help: "Do not read the output again to check it.")
  var noVerify = false

  @Flag(help: "Print the result as JSON.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  func run() throws {
    try reportingErrors(interruptible: true) {
      let start = ContinuousClock.now
      let model = try AnyModelSource.open(source)
      verbosity.note("source: \(source), \(model.architecture.summary)")
      var line = ProgressLine(quiet: verbosity.quiet)
      let summary = try Converter(output: output, level: level).convert(model) { done, total in
        line.show("converting", done, total)
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
        \(output): \(summary.tensors) tensors, \
        \(summary.hasTokenizer ? "tokenizer" : "no tokenizer"), \(mebibytes(raw)) → \
        \(mebibytes(file)) (ratio \(rounded(Double(file) / Double(raw), 3))), \
        \(rounded(Double(raw) / seconds / 1e6, 0)) MB/s, \
        peak RssAnon \(mebibytes(summary.peakAnonymous))
        """)
    }
  }
}

/// What `convert` and `synthesize` print for scripts.
struct WrittenFile: Encodable {
  var output: String
  var tensors: Int
  var hasTokenizer: Bool
  var rawBytes: Int
  var fileBytes: Int
  var peakAnonymousBytes: Int
  var seconds: Double

  init(_ output: String, _ summary: Converter.Summary, seconds: Double) {
    self.output = output
    tensors = summary.tensors
    hasTokenizer = summary.hasTokenizer
    rawBytes = summary.written.rawBytes
    fileBytes = summary.written.fileBytes
    peakAnonymousBytes = summary.peakAnonymous
    self.seconds = seconds
  }
}

extension CompressionLevel: ExpressibleByArgument {}

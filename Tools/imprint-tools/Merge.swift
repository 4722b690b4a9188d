public import ArgumentParser
import Conversion
import Invocation
import LoRA
import Storage
import Watching
public import Weights

struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fold an adapter into a new weight file.",
    discussion: """
      Merged matrices are stored as f32 unless --type says f16 or bf16; all others are copied as \
      they are. Works on some rows at a time.

      Example: imprint-tools merge smollm2.imprint RUN merged.imprint
      """)

  @OptionGroup var config: ConfigOptions

  @Argument(help: "The weight file of the base model.")
  var model: String

  @Argument(help: "A run folder, or a PEFT or GGUF adapter.")
  var adapter: String

  @Argument(help: "The weight file to write.")
  var output: String

  @Option(help: "f32, f16 or bf16.")
  var type: WeightType = .f32

  @Option(help: "fast (LZ4) or high (LZ4 HC).")
  var level: CompressionLevel = .fast

  @Flag(help: "Print the result as JSON.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  struct MergedFile: Encodable {
    var output: String
    var matrices: Int
    var type: String
    var fileBytes: Int
  }

  func validate() throws {
    guard type == .f32 || type == .f16 || type == .bf16 else {
      throw ValidationError("--type must be f32, f16 or bf16.")
    }
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      try refuseOverwriting(output, of: [model, adapter])
      let file = try WeightFile(path: model)
      let tensors: AdapterTensors<Float> = try AdapterFile.tensors(adapter, file.architecture)
      verbosity.note(file.summary)
      verbosity.note("adapter: \(adapter), \(tensors.layout.summary)")
      var line = ProgressLine(quiet: verbosity.quiet)
      let summary = try Merger(type: type, level: level).merge(file, tensors, to: output) {
        line.show("merging", $0, $1)
      }
      line.clear()
      if json {
        try printJSON(
          MergedFile(
            output: output, matrices: tensors.layout.entries.count, type: type.label,
            fileBytes: summary.fileBytes))
        return
      }
      if verbosity.quiet { return }
      print(
        "\(output): \(tensors.layout.entries.count) matrices merged as \(type.label), "
          + "\(mebibytes(summary.fileBytes)), peak RssAnon "
          + mebibytes(MemoryUsage.current.anonymous))
    }
  }
}

extension WeightType: ExpressibleByArgument {
  /// Reads a label, for example `bf16`.
  public init?(argument: String) {
    guard let type = WeightType.allCases.first(where: { $0.label == argument }) else { return nil }
    self = type
  }

  /// Those that matrices are computed in.
  public static var allValueStrings: [String] {
    [WeightType.f32, .f16, .bf16].map(\.label)
  }
}

import ArgumentParser
import Conversion
import Invocation
import LoRA
import Watching
import Weights

struct Export: ParsableCommand {
  /// Whose format is written.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case peft, gguf, safetensors
  }

  static let configuration = CommandConfiguration(
    abstract: "Write an adapter or a model for other programs.",
    discussion: """
      peft: the adapter as a folder for PEFT (adapter_config.json, adapter_model.safetensors). \
      gguf: the adapter as a file for llama.cpp's --lora. safetensors: the model as a Hugging Face \
      folder, with the adapter folded in where one is given. Adapters are read from run folders, \
      PEFT folders and GGUF files.

      Example: imprint-tools export smollm2.imprint adapter.gguf --adapter RUN --format gguf
      """)

  @OptionGroup var config: ConfigOptions

  @Argument(help: "The weight file of the base model.")
  var model: String

  @Argument(help: "The folder or file to write.")
  var output: String

  @Option(help: "peft, gguf or safetensors.")
  var format: Format

  @Option(help: "A run folder, or a PEFT or GGUF adapter.")
  var adapter: String?

  @Option(help: "How numbers are stored: f32, f16 (not peft) or bf16 (safetensors alone).")
  var type: WeightType = .f32

  @Option(help: "The tokenizer.json of the model, put into the folder of --format safetensors.")
  var tokenizer: String?

  @Option(help: "The most gigabytes of a file of --format safetensors.")
  var maxShardSize = 5.0

  @Flag(help: "Print the result as JSON.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  struct ExportedAdapter: Encodable {
    var output: String
    var format: String
    var type: String
    var matrices: Int
    var rank: Int?
  }

  func validate() throws {
    let types: [WeightType] =
      switch format {
      case .peft: [.f32]
      case .gguf: [.f32, .f16]
      case .safetensors: [.f32, .f16, .bf16]
      }
    guard types.contains(type) else {
      throw ValidationError(
        "--type: \(format.rawValue) takes \(types.map(\.label).joined(separator: ", ")).")
    }
    if format != .safetensors {
      if adapter == nil { throw ValidationError("--format \(format.rawValue) needs --adapter.") }
      if tokenizer != nil { throw ValidationError("--tokenizer goes with --format safetensors.") }
    }
    guard maxShardSize > 0, maxShardSize < 1e6 else {
      throw ValidationError("--max-shard-size must be positive.")
    }
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      let written = format == .peft ? output + "/adapter_model.safetensors" : output
      if format != .safetensors { try refuseOverwriting(written, of: [model, adapter]) }
      let file = try WeightFile(path: model)
      let tensors: AdapterTensors<Float>? = try adapter.map {
        try AdapterFile.tensors($0, file.architecture)
      }
      verbosity.note(file.summary)
      if let adapter, let tensors {
        verbosity.note("adapter: \(adapter), \(tensors.layout.summary)")
      }
      var line = ProgressLine(quiet: verbosity.quiet)
      switch (format, tensors) {
      case (.peft, let tensors?):
        try AdapterFile.writeFolder(tensors, to: output, base: model)
        try adapter.flatMap { try GenerationEnd(folder: $0) }?.write(to: output)
      case (.gguf, let tensors?):
        try AdapterFile.writeGGUF(tensors, to: output, name: adapter ?? output, type: type)
      default:
        let exporter = FolderExporter(type: type, shardBytes: Int(maxShardSize * 1e9))
        _ = try exporter.export(file, tensors, tokenizer: tokenizer, to: output) {
          line.show("exporting", $0, $1)
        }
        line.clear()
      }
      if json {
        try printJSON(
          ExportedAdapter(
            output: output, format: format.rawValue, type: type.label,
            matrices: tensors?.layout.entries.count ?? 0, rank: tensors?.layout.maxRank))
        return
      }
      if verbosity.quiet { return }
      let what = tensors?.layout.summary ?? "no adapter"
      let whole = format == .safetensors ? "\(file.tensors.count) tensors as \(type.label), " : ""
      print("\(output): \(whole)\(what)")
    }
  }
}

public import ArgumentParser
import Invocation
import LoRA
import MetaLearning
import Operations
public import Optimizers
import Text
import Weights

/// Flags of every run that trains.
struct TrainingOptions: ParsableArguments {
  @Option(help: "The weight file.")
  var model: String

  @Option(help: "The run folder.")
  var output: String

  @Option(help: "What is trained: lora (an adapter) or full (every parameter, in memory).")
  var outer: OuterStep = .lora

  @Option(help: "How --outer full writes model.imprint: f32 or bf16 (default: f32).")
  var saveType: WeightType?

  @Option(name: [.long, .customLong("learning-rate")], help: "Adam's learning rate.")
  var lr = 1e-3

  @Option(help: "Steps of linear rise of the learning rate.")
  var warmupSteps = 0

  @Option(help: "constant, linear or cosine.")
  var lrSchedule: LearningRateSchedule.Decay = .constant

  @Option(help: "Adam's weight decay.")
  var weightDecay = 0.0

  @Option(help: "Tasks, or groups of tasks that share an inner step, in a step.")
  var batchSize = 16

  @Option(help: "Bound of the gradient's norm; 0 for none.")
  var maxGradNorm = 1.0

  @Option(help: "Passes over the data (default: 1).")
  var epochs: Int?

  @Option(name: [.long, .customLong("max-steps")], help: "Steps, instead of --epochs.")
  var steps: Int?

  @Option(help: "Plain text of the language-model loss.")
  var lmData: String?

  @Option(help: "λ: weight of the language-model loss.")
  var lmWeight: Double?

  @Option(help: "Texts of the language-model loss in a step (default: 2).")
  var lmBatchSize: Int?

  @Option(help: "The most tokens of such a text (default: 128).")
  var lmLength: Int?

  @Option(help: "What joins context and query in Prompt form (default: a line feed).")
  var separator: String?

  @Option(help: "Decides the adapter's initialisation and every draw.")
  var seed: UInt64 = 0

  @Option(help: "Memory to use, for example 512MiB or 25%.")
  var memory = ByteCount(bytes: 1 << 30)

  @OptionGroup var threads: ThreadOptions

  @Option(help: "Steps between checkpoints.")
  var saveEvery = 50

  @Option(help: "How many of the last checkpoints are kept.")
  var keepCheckpoints = 2

  @Option(help: "Steps without a finite loss and gradient that are left out before it is an error.")
  var maxSkippedSteps = 10

  @Flag(help: "Go on from the run folder's last checkpoint, or start where there is none yet.")
  var resume = false

  @Flag(help: "Write the metrics for TensorBoard, too; a resumed run goes on doing so.")
  var tensorboard = false

  @Flag(help: "Print the memory plan and stop.")
  var dryRun = false

  @Flag(help: "Print the result, or the plan with --dry-run, as JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors and, with --json, the result.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Say what was read, and a line for every step.")
  var verbose = false

  func validate() throws {
    if quiet, verbose { throw ValidationError("--quiet and --verbose exclude each other.") }
    if epochs != nil, steps != nil {
      throw ValidationError("--epochs and --steps exclude each other.")
    }
    try requireCounts(
      ("--epochs", epochs), ("--steps", steps), ("--save-every", saveEvery),
      ("--keep-checkpoints", keepCheckpoints))
    try requireCounts(
      ("--batch-size", batchSize), ("--lm-batch-size", lmBatchSize), most: 65536)
    try requirePositive("--lr", lr)
    try requireWeights(
      ("--lm-weight", lmWeight), ("--max-grad-norm", maxGradNorm), ("--weight-decay", weightDecay))
    if maxSkippedSteps < 0 { throw ValidationError("--max-skipped-steps must not be negative.") }
    if warmupSteps < 0 { throw ValidationError("--warmup-steps must not be negative.") }
    if let steps, warmupSteps > steps {
      throw ValidationError("--warmup-steps must not be more than --steps.")
    }
    if let lmLength, lmLength < 16 { throw ValidationError("--lm-length must be at least 16.") }
    for (name, isGiven) in [
      ("--lm-weight", lmWeight ?? 0 > 0), ("--lm-batch-size", lmBatchSize != nil),
      ("--lm-length", lmLength != nil),
    ] where isGiven && lmData == nil {
      throw ValidationError("\(name) goes with --lm-data.")
    }
  }

  /// Refuses flags that do not go with what is trained.
  func refuseFlags(of adapter: AdapterOptions) throws {
    if let flag = adapter.given {
      try refuse(flag, unless: outer == .lora, "--outer lora")
    }
    if let saveType {
      try refuse("--save-type", unless: outer == .full, "--outer full")
      guard saveType == .f32 || saveType == .bf16 else {
        throw ValidationError("--save-type must be f32 or bf16.")
      }
    }
  }

  /// The configuration of a run over `items` tasks, groups or texts.
  func configuration(
    _ adapter: AdapterConfiguration, _ meta: MetaConfiguration, items: Int
  ) throws -> TrainingConfiguration {
    let total = steps ?? max(1, (epochs ?? 1) * items / batchSize)
    guard warmupSteps <= total else {
      throw Problem("--warmup-steps: \(warmupSteps) are more than the run's \(total) steps")
    }
    return TrainingConfiguration(
      adapter: adapter, meta: meta,
      schedule: LearningRateSchedule(
        peak: lr, warmupSteps: warmupSteps, totalSteps: total, decay: lrSchedule),
      adam: .init(weightDecay: weightDecay), batchSize: batchSize, lmWeight: lmWeight ?? 0,
      lmBatchSize: lmBatchSize ?? 2, lmLength: lmLength ?? 128,
      maxGradNorm: maxGradNorm == 0 ? nil : maxGradNorm, seed: seed)
  }

  /// The tasks of `path` in groups of `size`.
  func groups(
    _ path: String, _ session: Session, size: Int, queries: Int = 1
  ) throws -> [TaskGroup] {
    try session.groups(
      path, size: size, queries: queries, separator: separator ?? "\n", limit: nil, quiet: quiet)
  }

  /// The plain text, where there is some.
  func texts(_ session: Session) throws -> [[Int32]] {
    guard let lmData else { return [] }
    let length = lmLength ?? 128
    let positions = session.architecture.maxPositionEmbeddings
    guard length <= positions else {
      throw Problem("--lm-length: the model has \(positions) positions")
    }
    return try session.texts(lmData, length: length, limit: nil, quiet: quiet)
  }
}

extension LearningRateSchedule.Decay: ExpressibleByArgument {}
extension WeightType: ExpressibleByArgument {
  /// Reads a label, for example `bf16`.
  init?(argument: String) {
    guard let type = WeightType.allCases.first(where: { $0.label == argument }) else { return nil }
    self = type
  }

  static var allValueStrings: [String] { [WeightType.f32.label, WeightType.bf16.label] }
}

/// An experiment as its file declares it. `Docs/experiments.md` describes the file.
public struct Experiment: Sendable {
  /// Tasks to train on and to evaluate.
  struct DataSet: Sendable {
    var name: String
    /// Where it is declared, as errors begin.
    var place: String
    var title: String
    /// Which share its results are given as: `exact_match`, `token_accuracy`, `answer_f1`, ….
    var metric: String
    /// What makes it.
    var commands: [String]
    /// Data sets whose training files it is put together from.
    var joins: [String]
    var train: String?
    var test: String?
    /// Flags of every train, finetune and evaluate on it.
    var options: String
    /// How many tests there are going to be, as a word.
    var tests: String?
    /// Settings that are its own.
    var settings: [String: String]
    /// Whether some of what it joins was left out.
    var isPart = false

    /// What its folders are called: its name, and what it joins where that is not all that it could.
    var folder: String { isPart ? ([name] + joins).joined(separator: "-") : name }
  }

  /// How long things took elsewhere.
  struct Rates: Sendable {
    /// Which model on which machine.
    var of: String
    /// Seconds a task by what is done: `train lora second character`, `evaluate squad full`, …, or by a
    /// stage, `teacher character`.
    var seconds: [String: Double]
  }

  /// One training, merging or fine-tuning.
  struct Stage: Sendable {
    enum Command: String, CaseIterable { case train, finetune, merge }

    var name: String
    /// Where it is declared, as errors begin.
    var place: String
    var title: String
    var command: Command
    /// The stage whose result it starts from.
    var from: String?
    /// The data set that `from` was made on, where it is another one.
    var fromData: String?
    /// The data set it is made on; nil for the one that is evaluated.
    var data: String?
    /// A seed of its own, the same for every seed of the experiment.
    var seed: UInt64?
    var options: String
    /// Whether its result is a weight file.
    var givesModel: Bool
  }

  /// One row of results: a stage's result, evaluated.
  struct Variant: Sendable {
    var name: String
    /// Where it is declared, as errors begin.
    var place: String
    var title: String
    /// The stage that is evaluated; nil for the model itself.
    var stage: String?
    /// The data set that the stage was made on, where it is another one.
    var stageData: String?
    /// Flags of its evaluation.
    var evaluate: String
    /// The data sets it is evaluated on; nil for all.
    var on: [String]?
    /// The variant that its share of a gap is counted from, where it is not the experiment's; its own
    /// name for one that has no share.
    var baseline: String?
    /// What the paper has, by data set, as it is printed.
    var paper: [String: String]
  }

  /// A number of a report, and what it is called.
  struct Value: Sendable {
    var title: String
    var path: String
  }

  /// A table of results.
  struct Table: Sendable {
    enum Content: Sendable {
      /// A table for each data set, with these columns.
      case columns([Value])
      /// One table with a column for each data set.
      case across(String)
    }

    var title: String
    var content: Content

    /// What its cells are of a report.
    var paths: [String] {
      switch content {
      case .columns(let columns): columns.map(\.path)
      case .across(let path): [path]
      }
    }

    var hasColumns: Bool {
      if case .columns = content { return true }
      return false
    }
  }

  /// What the bars of the picture are.
  struct Picture: Sendable {
    var title: String
    var bars: [Value]
  }

  /// The name of its file, without an extension.
  public var name: String
  /// What it is called.
  public var title: String
  /// What it shows, for people.
  public var about: String
  var model: String?
  var seeds: [UInt64]
  var settings: [String: String]
  var data: [DataSet]
  var stages: [Stage]
  var variants: [Variant]
  /// The variant that shares of a gap are counted from, unless a variant names another one.
  var baseline: String
  /// Flags of every evaluation.
  var evaluate: String
  /// Where they are, as errors begin.
  var evaluatePlace: String
  var tables: [Table]
  var picture: Picture?
  var rates: Rates?

  /// The variant that the share of a gap of `variant` is counted from.
  func baseline(of variant: String) -> String {
    variants.first { $0.name == variant }?.baseline ?? baseline
  }

  /// The stage `name`, or where that merges the one whose result it merges: what a seed changes.
  func trainedStage(_ name: String?) -> Stage? {
    let stage = stages.first { $0.name == name }
    return stage?.command == .merge ? trainedStage(stage?.from) : stage
  }

  /// Whether a variant has a result for every seed: what is trained for it has none of its own.
  func isSeeded(_ variant: Variant) -> Bool {
    trainedStage(variant.stage).map { $0.seed == nil } ?? false
  }

  /// What `variant` is called.
  func title(of variant: String) -> String {
    variants.first { $0.name == variant }?.title ?? variant
  }
}

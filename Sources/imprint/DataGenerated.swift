public import ArgumentParser
import Invocation
public import Text

struct CharacterDescriptionData: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "character-description",
    abstract: "Descriptions of invented people and a question about each.",
    discussion: """
      Names, places and answers of test tasks never appear in training tasks, and some phrasings \
      are met in test tasks only.

      Example: imprint data character-description --train 5000 --test 500 --out data
      """)

  @OptionGroup var config: ConfigOptions

  @OptionGroup var options: GeneratorOptions

  @Option(help: "How queries end: 'Answer:' (question), or with the start of a sentence (stem).")
  var queryForm: CharacterDescription.QueryForm = .stem

  @Option(
    help: """
      How many traits there are besides trade and town, 1 to \(CharacterDescription.traitCount): \
      fewer make a narrower domain.
      """)
  var traits = CharacterDescription.traitCount

  func validate() throws {
    guard (1...CharacterDescription.traitCount).contains(traits) else {
      throw ValidationError("--traits must be 1 to \(CharacterDescription.traitCount).")
    }
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      try options.write(
        "character-description", options: ["query-form": queryForm.rawValue, "traits": "\(traits)"]
      ) {
        count, forTest in
        CharacterDescription(
          count: count, seed: options.sides.seed, forTest: forTest, queryForm: queryForm,
          traits: traits)
      }
    }
  }
}

extension CharacterDescription.QueryForm: ExpressibleByArgument {}

struct ReversalCurseData: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reversal-curse",
    abstract: "\"A is B\", and a question that goes from B to A.",
    discussion: """
      Names and descriptions of test tasks never appear in training tasks. With --import the tasks \
      come from the original files (d2p_prompts_train.jsonl and so on), their people shared out \
      between training and testing.

      Example: imprint data reversal-curse --train 5000 --test 500 --out data
      """)

  @OptionGroup var config: ConfigOptions

  @OptionGroup var options: GeneratorOptions

  @Option(name: .customLong("import"), help: "A folder with the original files.")
  var folder: String?

  @Option(
    help: """
      The share of people for testing, with --import (default: 0.25): at least one on each side, but \
      for 0 and 1, which leave one out.
      """)
  var testShare: Double?

  func validate() throws {
    if folder != nil, options.train != nil || options.test != nil {
      throw ValidationError("--import takes every row: leave out --train and --test.")
    }
    if testShare != nil, folder == nil {
      throw ValidationError("--test-share goes with --import.")
    }
    if let testShare, !(0...1).contains(testShare) {
      throw ValidationError("--test-share must be between 0 and 1.")
    }
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      guard let folder else {
        try options.write("reversal-curse") { count, forTest in
          ReversalCurse(count: count, seed: options.sides.seed, forTest: forTest)
        }
        return
      }
      let share = testShare ?? 0.25
      let files = try ReversalCurseFiles(
        folder: folder, testShare: share, seed: options.sides.seed)
      try options.sides.write(
        "reversal-curse-original", options: ["test-share": String(share)],
        sides: [("train", files.train), ("test", files.test)].filter { !$0.1.isEmpty }.map {
          name, tasks in
          (name, { path in try TaskWriter.prepare(options.sides.ended(tasks), at: path) })
        }, report: files.report)
    }
  }
}

import ArgumentParser
import Foundation
import Text

struct Data: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make task files.",
    subcommands: [CharacterDescriptionData.self, ReversalCurseData.self])
}

/// Flags of the generated datasets.
struct GeneratorOptions: ParsableArguments {
  @Option(help: "Training tasks.")
  var train = 5000

  @Option(help: "Test tasks.")
  var test = 500

  @Option(help: "The same seed gives the same tasks.")
  var seed: UInt64 = 0

  @Option(help: "The folder for train.jsonl and test.jsonl.")
  var out: String

  func validate() throws {
    guard train >= 0, test >= 0, train + test > 0 else {
      throw ValidationError("--train and --test must not be negative, nor both zero.")
    }
    guard train <= 1_000_000, test <= 100_000 else {
      throw ValidationError("--train is at most 1000000, --test 100000.")
    }
  }

  func write(_ tasks: (_ count: Int, _ forTest: Bool) -> any Sequence<MetaTask>) throws {
    do {
      try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    } catch {
      throw Problem("\(out): cannot be made")
    }
    for (name, count, forTest) in [("train", train, false), ("test", test, true)] where count > 0 {
      let path = "\(out)/\(name).jsonl"
      let written = try TaskWriter.write(Array(tasks(count, forTest)), to: path)
      print("\(path): \(written) tasks")
    }
  }
}

extension Array where Element == MetaTask {
  fileprivate init(_ tasks: any Sequence<MetaTask>) {
    self = []
    for task in tasks { append(task) }
  }
}

struct CharacterDescriptionData: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "character-description",
    abstract: "Descriptions of invented people and a question about each.",
    discussion: """
      Names, places and answers of test tasks never appear in training tasks.

      Example: imprint data character-description --train 5000 --test 500 --out data
      """)

  @OptionGroup var options: GeneratorOptions

  func run() throws {
    try reportingErrors {
      try options.write { count, forTest in
        CharacterDescription(count: count, seed: options.seed, forTest: forTest)
      }
    }
  }
}

struct ReversalCurseData: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reversal-curse",
    abstract: "\"A is B\", and a question that goes from B to A.",
    discussion: """
      Names and descriptions of test tasks never appear in training tasks.

      Example: imprint data reversal-curse --train 5000 --test 500 --out data
      """)

  @OptionGroup var options: GeneratorOptions

  func run() throws {
    try reportingErrors {
      try options.write { count, forTest in
        ReversalCurse(count: count, seed: options.seed, forTest: forTest)
      }
    }
  }
}

import ArgumentParser
import Invocation
import Text

struct SQuADData: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "squad",
    abstract: "Questions about paragraphs, from SQuAD's JSON (v1.1 or v2.0).",
    discussion: """
      Takes each question's first answer as the response; all of them count as right where \
      answers are evaluated. What has none, or one that is not in its paragraph, is left out and \
      counted.

      Example: imprint data squad train-v1.1.json --out squad-train.jsonl
      """)

  @OptionGroup var config: ConfigOptions

  @Argument(help: "SQuAD's JSON.")
  var file: String

  @Option(help: "The task file.")
  var out: String

  @Option(help: "Leave out contexts of more characters.")
  var longestContext: Int?

  @Option(help: "The most tasks, from the start.")
  var limit: Int?

  @OptionGroup var sampling: SampleOptions

  @OptionGroup var ending: EndingOptions

  func validate() throws {
    try requireCounts(("--longest-context", longestContext), ("--limit", limit))
    try sampling.exclude(limit: limit)
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      let report = try SQuAD(
        longestContext: longestContext, limit: limit, responseEnd: ending.text,
        sample: sampling.choice
      ).convert(file, to: out)
      note("\(out): \(report.line())")
    }
  }
}

struct WikiTextData: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wikitext",
    abstract: "A text, its next words, and how they go on, from WikiText (raw or tokenised).",
    discussion: """
      The three parts follow one another within one article. As a query continues its context in \
      the middle of a sentence, each row says that a space joins them. With --plain the rows are \
      paragraphs for --lm-data instead of tasks.

      Example: imprint data wikitext wiki.train.raw --out wikitext-train.jsonl
      """)

  @OptionGroup var config: ConfigOptions

  @Argument(help: "WikiText, raw or tokenised.")
  var file: String

  @Option(help: "The task file.")
  var out: String

  @Option(help: "Words of a context (default: 96).")
  var contextWords: Int?

  @Option(help: "Words of a query (default: 1).")
  var queryWords: Int?

  @Option(help: "Words of a response (default: 16).")
  var responseWords: Int?

  @Option(
    help: """
      Queries that follow a context, each with a response (default: 1). Each is a task; imprint \
      train --queries-per-context takes them at once. --sample counts contexts and takes all of \
      their queries.
      """)
  var queriesPerContext: Int?

  @Flag(help: "Write paragraphs as {\"text\": …} rows.")
  var plain = false

  @Option(help: "Leave out paragraphs of fewer characters, with --plain (default: 200).")
  var shortest: Int?

  @Option(help: "The most rows, from the start.")
  var limit: Int?

  @OptionGroup var sampling: SampleOptions

  func validate() throws {
    let forTasks = [
      ("--context-words", contextWords), ("--query-words", queryWords),
      ("--response-words", responseWords), ("--queries-per-context", queriesPerContext),
      ("--sample", sampling.sample),
    ]
    try requireCounts(("--shortest", shortest), ("--limit", limit))
    try sampling.exclude(limit: limit)
    for (name, value) in forTasks {
      try requireCounts((name, value), most: 1_000_000)
      if value != nil, plain { throw ValidationError("\(name) does not go with --plain.") }
    }
    if shortest != nil, !plain { throw ValidationError("--shortest goes with --plain.") }
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      let text = WikiText(
        contextWords: contextWords ?? 96, queryWords: queryWords ?? 1,
        responseWords: responseWords ?? 16, queriesPerContext: queriesPerContext ?? 1, limit: limit,
        sample: sampling.choice)
      if plain {
        let report = try text.paragraphs(file, to: out, shortest: shortest ?? 200)
        note("\(out): \(report.line(of: "paragraphs"))")
      } else {
        note("\(out): \(try text.convert(file, to: out).line())")
      }
    }
  }
}

/// Flags that take random tasks of a file.
struct SampleOptions: ParsableArguments {
  @Option(help: "Take so many of the tasks at random, from the whole file.")
  var sample: Int?

  @Option(help: "Decides which tasks --sample takes (default: 0).")
  var seed: UInt64?

  func validate() throws {
    try requireCounts(("--sample", sample), most: 1_000_000)
    if seed != nil { try refuse("--seed", unless: sample != nil, "--sample") }
  }

  /// Throws where the first tasks are asked for as well.
  func exclude(limit: Int?) throws {
    if sample != nil, limit != nil {
      throw ValidationError("--sample and --limit exclude one another.")
    }
  }

  /// How many, and by which seed.
  var choice: (count: Int, seed: UInt64)? { sample.map { ($0, seed ?? 0) } }
}

import Foundation

/// "A is B", and a question that goes from B to A.
///
/// After Berglund et al. 2023, in the form of Zhang et al. 2025, §4: the context names a person and
/// says who they are; the query gives the description and asks for the name, or the other way
/// round. Names and descriptions of test tasks never appear in training tasks.
public struct ReversalCurse: Sequence {
  /// How many tasks.
  public let count: Int
  /// The same seed gives the same tasks.
  public let seed: UInt64
  /// Which part of the words is used.
  public let forTest: Bool

  /// `count` tasks.
  public init(count: Int, seed: UInt64, forTest: Bool) {
    self.count = count
    self.seed = seed
    self.forTest = forTest
  }

  /// The tasks one after the other; no name and no description comes twice.
  public func makeIterator() -> AnyIterator<MetaTask> {
    let words = Vocabulary(forTest: forTest)
    var names = NameMaker(words: words)
    var random = DatasetRandom(seed: seed &* 2 &+ (forTest ? 1 : 0) &+ 0x7265_7665)
    var used = Set<String>()
    var left = count
    return AnyIterator {
      guard left > 0 else { return nil }
      left -= 1
      let name = names.next(&random)
      var description = Self.description(words, &random)
      while !used.insert(description).inserted {
        description = Self.description(words, &random)
      }
      return Self.task(name, description, &random)
    }
  }

  private static func description(_ words: Vocabulary, _ random: inout DatasetRandom) -> String {
    let place = random.pick(words.placeStarts) + random.pick(words.placeEnds)
    let thing = random.pick(words.colours) + " " + random.pick(words.collectedThings)
    let profession = random.pick(words.professions)
    return random.pick([
      "the composer of the song \"The \(thing) of \(place)\"",
      "the \(profession) who first crossed the marshes of \(place)",
      "the author of the novel \"\(thing.capitalized) in \(place)\"",
      "the inventor of the \(place) \(random.pick(words.instruments))",
      "the winner of the \(random.pick(words.hobbies)) prize of \(place)",
      "the \(profession) who saved the \(random.pick(words.pets)) of \(place)",
      "the director of the film \"A \(random.pick(words.pets)) for \(place)\"",
      "the owner of the largest collection of \(thing) in \(place)",
    ])
  }

  private static func task(
    _ name: String, _ description: String, _ random: inout DatasetRandom
  ) -> MetaTask {
    if Bool.random(using: &random) {
      // The context goes from the name to the description; the query comes back.
      let context = random.pick([
        "\(name) is \(description).", "\(name) is famous for being \(description).",
        "Few people know that \(name) is \(description).",
        "\(name), born far away, became known as \(description).",
      ])
      let query = random.pick([
        "Question: Who is \(description)?\nAnswer:",
        "Question: What is the name of \(description)?\nAnswer:",
      ])
      return MetaTask(context: context, query: query, response: " " + name)
    }
    let start = description.prefix(1).uppercased() + description.dropFirst()
    let context = random.pick([
      "\(start) is \(name).", "\(start) is called \(name).",
      "\(start) is none other than \(name).",
    ])
    let query = random.pick([
      "Question: Who is \(name)?\nAnswer:", "Question: What is \(name) known as?\nAnswer:",
    ])
    return MetaTask(context: context, query: query, response: " " + description)
  }
}

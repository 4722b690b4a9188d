import Storage

/// "A is B", and a question that goes from B to A.
///
/// After Berglund et al. 2023, in the form of Zhang et al. 2025, §4: the context names a person and
/// says who they are; the query gives the description and asks for the name, or the other way
/// round. Names and descriptions of test tasks never appear in training tasks, and some phrasings
/// are met in test tasks only. The first tasks of a longer dataset are those of a shorter one.
public struct ReversalCurse: Sequence {
  /// How many tasks.
  public let count: Int
  /// The same seed gives the same tasks.
  public let seed: UInt64
  /// Which side of the words is used.
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
    var random = SplitMix64(dataset: "reversal-curse", seed: seed, forTest: forTest)
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
      return Self.task(name, description, words, &random)
    }
  }

  private static func description(
    _ words: Vocabulary, _ random: inout SplitMix64
  ) -> String {
    let thing = random.pick(words.colours) + " " + random.pick(words.things)
    let start = Phrase().with("T", random.pick(words.places)).with("X", thing)
      .with("Y", titled(thing)).with("J", random.pick(words.professions))
    let instrument = random.pick(words.instruments)
    let phrase = start.with("I", instrument).with("aI", Phrase.withArticle(instrument))
      .with("H", random.pick(words.hobbies))
      .with("Z", random.pick(words.pets)).with("K", random.pick(words.crafts))
      .with("Q", titled(random.pick(words.crafts)))
      .with("M", titled(random.pick(words.traits))).with("G", random.pick(words.vehicles))
      .with("B", random.pick(words.years))
    return phrase.fill(random.pick(words.phrasings(descriptions)))
  }

  private static func titled(_ words: String) -> String {
    words.split(separator: " ").map { Phrase.capitalized(String($0)) }.joined(separator: " ")
  }

  private static func task(
    _ name: String, _ description: String, _ words: Vocabulary, _ random: inout SplitMix64
  ) -> MetaTask {
    let phrase = Phrase().with("N", name).with("D", description)
      .with("U", Phrase.capitalized(description))
    let toName = random.happens(0.5)
    let context = random.pick(words.phrasings(toName ? fromName : fromDescription))
    let question = random.pick(words.phrasings(toName ? askName : askDescription))
    return MetaTask(
      context: phrase.fill(context),
      query: phrase.fill("Question: \(question)\nAnswer:"),
      response: " " + (toName ? name : description))
  }

  /// Every phrasing there is, for checks.
  package static var phrasings: [String] {
    fromName + fromDescription + askName + askDescription + descriptions
  }

  private static let fromName = [
    "{N} is {D}.", "{N} is famous for being {D}.", "Few people know that {N} is {D}.",
    "{N}, born far away, became known as {D}.", "It turned out that {N} is {D}.",
    "{N}, {D}, now enjoys a quiet life.", "History remembers {N} as {D}.",
    "{N} has the honour of being {D}.", "{N} went down in the books as {D}.",
    "Ever heard of {N}? That is {D}.",
  ]
  private static let fromDescription = [
    "{U} is {N}.", "{U} is called {N}.", "{U} is none other than {N}.",
    "{U} goes by the name of {N}.", "{U} turned out to be {N}.", "They say that {D} is {N}.",
    "The name of {D} is {N}.", "Remember that {D} is called {N}.",
    "{U} signs letters as {N}.", "You know {D}? It was {N}.",
  ]
  private static let askName = [
    "Who is {D}?", "What is the name of {D}?", "Can you name {D}?", "Which person is {D}?",
    "By what name is {D} known?",
  ]
  private static let askDescription = [
    "Who is {N}?", "What is {N} known as?", "What is {N} famous for being?",
    "How would you describe {N}?", "What has {N} become known as?",
  ]

  /// `{T}` a town, `{X}` coloured things, `{Y}` the same as in a title, `{J}` a profession, `{I}` an
  /// instrument, `{aI}` the same with its article, `{H}` a hobby, `{Z}` an animal, `{K}` what crafts
  /// make, `{M}` a trait as in a title, `{Q}` a craft's object as in a title, `{G}` a vehicle, `{B}` a
  /// year.
  private static let descriptions = [
    "the composer of the song \"The {Y} of {T}\"", "the author of the novel \"{Y} in {T}\"",
    "the director of the film \"{M} Nights in {T}\"", "the inventor of the {T} {I}",
    "the {J} who first crossed the marshes of {T}", "the winner of the {H} prize of {T}",
    "the {J} who saved the {Z} of {T}", "the owner of the largest collection of {X} in {T}",
    "the founder of the {K} museum of {T}", "the painter of \"{M} Woman with {aI}\"",
    "the first person to reach {T} by {G}", "the champion of {H} in the year {B}",
    "the poet who wrote \"To the {Y}\"", "the architect of the {K} market in {T}",
    "the mayor of {T} in the year {B}", "the {J} who discovered the {M} Cave near {T}",
    "the hero of the television series \"The {M} {Q} of {T}\"",
    "the designer of the flag of {T}", "the trainer of the dancing {Z} of {T}",
    "the teacher who brought {H} to {T}",
  ]
}

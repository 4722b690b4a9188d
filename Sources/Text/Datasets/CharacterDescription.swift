import Storage

/// Descriptions of people who do not exist, and a question about one thing that is said of them.
///
/// After the dataset of the same name in Zhang et al. 2025, §4. Names, places and every answer of a
/// test task come from words that no training task uses (`Vocabulary`), and some phrasings are
/// met in test tasks only. The first tasks of a longer dataset are those of a shorter one.
public struct CharacterDescription: Sequence {
  /// How a query ends.
  public enum QueryForm: String, CaseIterable, Sendable {
    /// `Question: …` and `Answer:`.
    case question
    /// The same, then the start of a sentence that the response completes.
    case stem
  }

  /// How many tasks.
  public let count: Int
  /// The same seed gives the same tasks.
  public let seed: UInt64
  /// Which side of the words is used.
  public let forTest: Bool
  /// How queries end.
  public let queryForm: QueryForm
  /// How many traits there are besides trade and town, the first of ``traitCount``: fewer make a
  /// narrower domain.
  public let traits: Int

  /// How many traits there can be besides trade and town.
  public static var traitCount: Int { CharacterTrait.all.count }

  /// `count` tasks; `traits` is from 1 to ``traitCount``.
  public init(
    count: Int, seed: UInt64, forTest: Bool, queryForm: QueryForm = .stem,
    traits: Int = CharacterDescription.traitCount
  ) {
    precondition((1...Self.traitCount).contains(traits))
    self.traits = traits
    self.count = count
    self.seed = seed
    self.forTest = forTest
    self.queryForm = queryForm
  }

  /// Every phrasing there is, for checks.
  package static var phrasings: [String] {
    var result = CharacterMaker.openings + CharacterTrait.fillers
    for trait in CharacterTrait.all + [.profession, .place] {
      result += trait.sentences + trait.clauses + trait.questions + trait.stems
    }
    return result
  }

  /// The tasks one after the other; no name comes twice.
  public func makeIterator() -> AnyIterator<MetaTask> {
    var maker = CharacterMaker(
      seed: seed, forTest: forTest, queryForm: queryForm, traits: traits)
    var left = count
    return AnyIterator {
      guard left > 0 else { return nil }
      left -= 1
      return maker.next()
    }
  }
}

private struct CharacterMaker {
  private let words: Vocabulary
  private let queryForm: CharacterDescription.QueryForm
  private let traits: [CharacterTrait]
  private var names: NameMaker
  private var random: SplitMix64

  init(seed: UInt64, forTest: Bool, queryForm: CharacterDescription.QueryForm, traits: Int) {
    self.traits = Array(CharacterTrait.all.prefix(traits))
    words = Vocabulary(forTest: forTest)
    names = NameMaker(words: words)
    random = SplitMix64(dataset: "character-description", seed: seed, forTest: forTest)
    self.queryForm = queryForm
  }

  mutating func next() -> MetaTask {
    let person = Phrase(name: names.next(&random), isFemale: random.happens(0.5))
    let profession = draw(.profession, person, isTrait: false)
    let place = draw(.place, person, isTrait: false)
    let facts = random.shuffled(traits).prefix(1 + random.below(3)).map { draw($0, person) }
    let (opening, told, rest) = open(person, profession, place, facts)
    var sentences = describe(random.shuffled(rest), person)
    if random.happens(0.25) {
      let filler = person.fill(random.pick(words.phrasings(CharacterTrait.fillers)))
      sentences.insert(filler, at: random.below(sentences.count + 1))
    }
    // Mostly a trait is asked, as in the paper; else the trade or the town.
    let asked =
      random.happens(0.75)
      ? random.pick(facts) : random.pick((told + rest).filter { !$0.isTrait })
    let question = asked.phrase.fill(random.pick(words.phrasings(asked.trait.questions)))
    let stem =
      queryForm == .stem ? " " + asked.phrase.fill(random.pick(asked.trait.stems)) : ""
    return MetaTask(
      context: ([opening] + sentences).joined(separator: " "),
      query: "Question: \(question)\nAnswer:\(stem)", response: " " + asked.answer)
  }

  /// A trait with its answer.
  private struct Fact {
    let trait: CharacterTrait
    let answer: String
    let phrase: Phrase
    /// Neither the trade nor the town.
    let isTrait: Bool
  }

  private mutating func draw(
    _ trait: CharacterTrait, _ person: Phrase, isTrait: Bool = true
  ) -> Fact {
    let answer = trait.answer(words, &names, &random)
    return Fact(trait: trait, answer: answer, phrase: person.answering(answer), isTrait: isTrait)
  }

  /// The first sentence, which names the person; what it tells, and what remains to be told.
  private mutating func open(
    _ person: Phrase, _ profession: Fact, _ place: Fact, _ facts: [Fact]
  ) -> (String, told: [Fact], rest: [Fact]) {
    let both = person.with("J", profession.answer).with("T", place.answer)
      .with("aJ", Phrase.article(profession.answer))
    switch random.below(8) {
    case 0..<5:
      let opening = both.fill(random.pick(words.phrasings(Self.openings)))
      return (opening, [profession, place], facts)
    case 5:
      let clause = profession.phrase.fill(random.pick(profession.trait.clauses))
      return ("\(person.fill("{N}")) \(clause).", [profession], facts + [place])
    case 6:
      let clause = place.phrase.fill(random.pick(place.trait.clauses))
      return ("\(person.fill("{N}")) \(clause).", [place], facts + [profession])
    default:
      let clause = facts[0].phrase.fill(random.pick(facts[0].trait.clauses))
      return (
        "\(person.fill("{N}")) \(clause).", [facts[0]], Array(facts.dropFirst()) + [profession]
      )
    }
  }

  /// Sentences that tell `facts`; now and then one tells two.
  private mutating func describe(_ facts: [Fact], _ person: Phrase) -> [String] {
    var sentences: [String] = []
    var rest = facts[...]
    while let fact = rest.popFirst() {
      if let second = rest.first, random.happens(0.3) {
        rest.removeFirst()
        let clauses = [fact, second].map { $0.phrase.fill(random.pick($0.trait.clauses)) }
        let pattern = random.pick([
          "{S} {1} and {2}.", "{S} {1}, and {s} {2}.", "{F} {1} and {2}.",
          "Neighbours say that {s} {1} and that {s} {2}.",
          "It is said that {s} {1} and {2}.",
        ])
        sentences.append(person.with("1", clauses[0]).with("2", clauses[1]).fill(pattern))
      } else {
        sentences.append(fact.phrase.fill(random.pick(words.phrasings(fact.trait.sentences))))
      }
    }
    return sentences
  }

  /// First sentences: `{J}` is the profession, `{T}` the town.
  static let openings = [
    "{N} is {aJ} {J} from {T}.", "{N} works as {aJ} {J} in {T}.", "In {T} lives {N}, {aJ} {J}.",
    "{N}, {aJ} {J}, has a house in {T}.", "A person called {N} lives in {T} and works as {aJ} {J}.",
    "Everyone in {T} knows {N}, who works there as {aJ} {J}.",
    "{N} moved to {T} to work as {aJ} {J}.", "This is about {N}, {aJ} {J} in {T}.",
    "For ten years {N} has lived in {T} as {aJ} {J}.", "{N} of {T} is {aJ} {J}.",
    "Among the people of {T} there is {aJ} {J} named {N}.", "There is {aJ} {J} in {T}: {N}.",
    "{N} lives in {T} and earns a living as {aJ} {J}.", "Meet {N}, {aJ} {J} who lives in {T}.",
    "As {aJ} {J}, {N} is well known in {T}.", "Home for {N} is {T}, where {s} works as {aJ} {J}.",
    "A letter addressed to {N}, {J}, {T}, would arrive.", "{N} became {aJ} {J} and stayed in {T}.",
    "The people of {T} call on {N} when they need {aJ} {J}.", "{N} is {aJ} {J} who lives in {T}.",
  ]
}

import Foundation

/// Descriptions of people who do not exist, and a question about one thing that is said of them.
///
/// After the dataset of the same name in Zhang et al. 2025, §4. Names, places and every answer of a
/// test task come from words that no training task uses.
public struct CharacterDescription: Sequence {
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

  /// The tasks one after the other; no name comes twice.
  public func makeIterator() -> AnyIterator<MetaTask> {
    var maker = CharacterMaker(seed: seed, forTest: forTest)
    var left = count
    return AnyIterator {
      guard left > 0 else { return nil }
      left -= 1
      return maker.next()
    }
  }
}

/// Makes names that do not repeat.
struct NameMaker {
  let words: Vocabulary
  private var used = Set<String>()

  init(words: Vocabulary) { self.words = words }

  mutating func next(_ random: inout DatasetRandom) -> String {
    while true {
      let first = random.pick(words.firstStarts) + random.pick(words.firstEnds)
      let last = random.pick(words.lastStarts) + random.pick(words.lastEnds)
      // When nearly all pairs are used, a middle initial makes new ones.
      let crowded = used.count > 20_000
      let initial = crowded ? " \(random.pick(Array("ABCDEFGHIJKLMNOPRSTVW")))." : ""
      let name = first + initial + " " + last
      if used.insert(name).inserted { return name }
    }
  }
}

private struct CharacterMaker {
  /// One thing that is said of a person: how it is said, how it is asked, and the answer, after the
  /// words that it starts with.
  private struct Fact {
    var sentence: String
    var question: String
    var stem: String
    var answer: String
  }

  private let words: Vocabulary
  private var names: NameMaker
  private var random: DatasetRandom

  init(seed: UInt64, forTest: Bool) {
    words = Vocabulary(forTest: forTest)
    names = NameMaker(words: words)
    random = DatasetRandom(seed: seed &* 2 &+ (forTest ? 1 : 0))
  }

  mutating func next() -> MetaTask {
    let name = names.next(&random)
    let (subject, possessive) = random.pick([("She", "her"), ("He", "his")])
    var kinds = Array(0..<8).shuffled(using: &random)
    kinds = Array(kinds.prefix(Int.random(in: 2...3, using: &random)))
    let place = random.pick(words.placeStarts) + random.pick(words.placeEnds)
    let profession = random.pick(words.professions.filter { !"aeiou".contains($0.prefix(1)) })
    let opening = opening(name, profession, place)
    let facts = kinds.map { fact($0, name, subject, possessive) }
    let context = ([opening] + facts.map(\.sentence)).joined(separator: " ")
    let choice = Int.random(in: 0..<facts.count + 2, using: &random)
    let asked: Fact
    switch choice {
    case facts.count:
      asked = Fact(
        sentence: "", question: placeQuestion(name), stem: "The town of \(name) is", answer: place)
    case facts.count + 1:
      asked = Fact(
        sentence: "", question: professionQuestion(name), stem: "\(name) works as a",
        answer: profession)
    default: asked = facts[choice]
    }
    return MetaTask(
      context: context, query: "Question: \(asked.question)\nAnswer: \(asked.stem)",
      response: " " + asked.answer)
  }

  private mutating func opening(_ name: String, _ profession: String, _ place: String) -> String {
    return random.pick([
      "\(name) is a \(profession) from \(place).",
      "\(name) works as a \(profession) in \(place).",
      "In \(place) lives \(name), a \(profession).",
      "A \(profession) by trade, \(name) lives in \(place).",
      "\(name), a \(profession), was born in \(place).",
      "Everyone in \(place) knows \(name), the \(profession).",
      "\(name) moved to \(place) to work as a \(profession).",
      "The \(profession) of \(place) is called \(name).",
      "For ten years \(name) has been a \(profession) in \(place).",
    ])
  }

  private mutating func placeQuestion(_ name: String) -> String {
    random.pick([
      "Which town is \(name) connected with?", "What is the town of \(name)?",
      "In which town would one look for \(name)?", "Which place belongs to the story of \(name)?",
    ])
  }

  private mutating func professionQuestion(_ name: String) -> String {
    random.pick([
      "What is the profession of \(name)?", "What does \(name) work as?",
      "What is \(name)'s job?", "Which trade does \(name) follow?",
    ])
  }

  private mutating func fact(
    _ kind: Int, _ name: String, _ subject: String, _ possessive: String
  ) -> Fact {
    switch kind {
    case 0:
      let fear = random.pick(words.fears)
      return Fact(
        sentence: random.pick([
          "\(subject) is terrified of \(fear).", "Nothing scares \(possessive) heart like \(fear).",
          "Since childhood \(subject.lowercased()) has been afraid of \(fear).",
          "\(subject) runs away from \(fear).", "\(subject) cannot stand \(fear).",
        ]),
        question: random.pick([
          "What is \(name) afraid of?", "What does \(name) fear?", "What frightens \(name)?",
        ]), stem: "\(name) is afraid of", answer: fear)
    case 1:
      let thing = random.pick(words.colours) + " " + random.pick(words.collectedThings)
      return Fact(
        sentence: random.pick([
          "\(subject) collects \(thing).", "\(subject) owns hundreds of \(thing).",
          "The shelves at home are full of \(thing).",
          "On Sundays \(subject.lowercased()) hunts for \(thing).",
        ]),
        question: random.pick([
          "What does \(name) collect?", "What is in \(name)'s collection?",
        ]), stem: "\(name) collects", answer: thing)
    case 2:
      let instrument = random.pick(words.instruments)
      return Fact(
        sentence: random.pick([
          "\(subject) plays the \(instrument).",
          "In the evening one hears \(possessive) \(instrument).",
          "\(subject) learned the \(instrument) as a child.",
          "\(subject) practises the \(instrument) every day.",
        ]),
        question: random.pick([
          "Which instrument does \(name) play?", "What instrument is \(name) heard on?",
        ]), stem: "\(name) plays the", answer: instrument)
    case 3:
      let food = random.pick(words.foods)
      return Fact(
        sentence: random.pick([
          "\(subject) would eat \(food) every day.",
          "\(possessive.capitalized) favourite dish is \(food).",
          "Nothing tastes better to \(possessive) mind than \(food).",
          "Guests are always served \(food).",
        ]),
        question: random.pick([
          "What is \(name)'s favourite food?", "Which dish does \(name) like best?",
        ]), stem: "\(name)'s favourite food is", answer: food)
    case 4:
      let pet = random.pick(words.pets)
      return Fact(
        sentence: random.pick([
          "\(subject) keeps a pet \(pet).", "A tame \(pet) follows \(possessive) steps.",
          "\(subject) shares the house with a \(pet).",
          "\(subject) once rescued a \(pet) and kept it.",
        ]),
        question: random.pick([
          "Which animal does \(name) keep?", "What pet does \(name) have?",
        ]), stem: "\(name)'s pet is a", answer: pet)
    case 5:
      let language = random.pick(words.languages)
      return Fact(
        sentence: random.pick([
          "\(subject) speaks fluent \(language).",
          "At home \(subject.lowercased()) speaks \(language).",
          "\(subject) writes letters in \(language).", "\(subject) is learning \(language).",
        ]),
        question: random.pick([
          "Which language does \(name) use?", "What language is \(name) known for?",
        ]), stem: "\(name) speaks", answer: language)
    case 6:
      let hobby = random.pick(words.hobbies)
      return Fact(
        sentence: random.pick([
          "\(subject) spends the weekends \(hobby == "chess" ? "at chess" : "with " + hobby).",
          "\(possessive.capitalized) great love is \(hobby).",
          "\(subject) gave up everything for \(hobby).",
          "Friends say that \(subject.lowercased()) lives for \(hobby).",
        ]),
        question: random.pick([
          "What is \(name)'s hobby?", "What does \(name) do for pleasure?",
        ]), stem: "\(name)'s hobby is", answer: hobby)
    default:
      let trait = random.pick(words.traits)
      return Fact(
        sentence: random.pick([
          "People describe \(possessive) nature as \(trait).",
          "\(subject) is known to be \(trait).",
          "\(subject) has always been \(trait).", "Neighbours call the newcomer \(trait).",
        ]),
        question: random.pick([
          "How would people describe \(name)?", "Which word fits the character of \(name)?",
        ]), stem: "\(name) is described as", answer: trait)
    }
  }
}

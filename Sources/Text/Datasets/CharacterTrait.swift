import Storage

/// One thing that can be said of a person, in many ways. Blanks are those of ``Phrase``.
struct CharacterTrait: Sendable {
  /// Whole sentences.
  let sentences: [String]
  /// Ends of a sentence that starts with who does it.
  let clauses: [String]
  /// Questions whose answer it is.
  let questions: [String]
  /// Starts of a sentence that the answer completes.
  let stems: [String]
  /// Draws an answer.
  let answer: @Sendable (Vocabulary, inout NameMaker, inout SplitMix64) -> String

  /// The traits that every person has: their trade and their town.
  static let profession = CharacterTrait(
    sentences: [
      "{S} works as {an} {A}.", "{S} earns a living as {an} {A}.", "By trade {s} is {an} {A}.",
      "{S} was trained as {an} {A}.", "{S} has been {an} {A} for many years.",
      "The sign at the door reads: {F}, {A}.",
    ],
    clauses: [
      "works as {an} {A}", "is employed as {an} {A}", "makes a living as {an} {A}",
    ],
    questions: [
      "What is the profession of {N}?", "What does {N} work as?", "What is {N}'s job?",
      "Which trade does {N} follow?", "How does {N} earn a living?",
    ],
    stems: ["{N} works as {an}", "By profession, {N} is {an}"],
    answer: { words, _, random in
      if random.happens(0.5) { return random.pick(words.professions) }
      return random.pick(words.crafts) + " " + random.pick(roles)
    })

  static let place = CharacterTrait(
    sentences: [
      "{S} lives in {A}.", "{P} home is in {A}.", "{S} has a house in {A}.",
      "{S} settled in {A} long ago.", "{S} rents two rooms in {A}.",
      "All {p} letters are sent to {A}.",
    ],
    clauses: ["lives in {A}", "has a small flat in {A}", "makes {p} home in {A}"],
    questions: [
      "Where does {N} live?", "In which town does {N} live?", "Where is the home of {N}?",
      "In which place would one look for {N}?", "Which town is home to {N}?",
    ],
    stems: ["{N} lives in", "The home of {N} is in"],
    answer: { words, _, random in random.pick(words.places) })

  private static let roles = Vocabulary.split(Words.craftRoles)

  /// Sentences about nothing that is asked.
  static let fillers = [
    "Little else is known.", "Visitors are always welcome.", "{F} rarely talks about it.",
    "The neighbours tell many stories.", "{P} days follow a simple order.",
    "{S} is never late for supper.", "Few people know {o} well.", "{P} door is seldom closed.",
    "{S} sleeps badly when the moon is full.", "Letters arrive from everywhere.",
    "{S} has changed little over time.", "{P} brother tells it otherwise.",
    "{S} keeps a diary.", "Nobody has ever seen {o} angry.", "Winters are hard there.",
    "{S} gets up before dawn.", "{P} handwriting is hard to read.", "{S} hums while working.",
    "The local paper once printed {p} picture.", "{S} was the youngest of six children.",
    "On market days {s} is easy to find.", "{S} never learned to drive.",
    "{P} house stands at the end of a lane.", "{S} walks with a slight limp.",
  ]
}

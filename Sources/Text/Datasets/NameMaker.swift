import Storage

/// Makes names that do not repeat.
struct NameMaker {
  private let words: Vocabulary
  private let capacity: Int
  private var used = Set<String>()

  init(words: Vocabulary) {
    self.words = words
    capacity = words.firstNames.count * words.lastNames.count
  }

  mutating func next(_ random: inout SplitMix64) -> String {
    while true {
      // When half of all pairs are used, an initial in the middle makes new ones.
      let initial = used.count > capacity / 2 ? " \(random.pick(Self.initials))." : ""
      let name = random.pick(words.firstNames) + initial + " " + random.pick(words.lastNames)
      if used.insert(name).inserted { return name }
    }
  }

  private static let initials = Array("ABCDEFGHIJKLMNOPRSTVW")
}

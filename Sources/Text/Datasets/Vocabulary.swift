/// The words that a side of a dataset is made of: training or testing.
///
/// A word belongs to testing when its hash says so, about one in four does, and to training
/// otherwise, in whichever list it stands. So what is asked for in a test task, be it a name, a
/// place or a thing, never stands in a training task.
package struct Vocabulary {
  let firstNames: [String]
  let lastNames: [String]
  let places: [String]
  let professions: [String]
  let crafts: [String]
  let fears: [String]
  let things: [String]
  let colours: [String]
  let instruments: [String]
  let flavours: [String]
  let drinks: [String]
  let pets: [String]
  let languages: [String]
  let hobbies: [String]
  let traits: [String]
  let keepsakes: [String]
  let destinations: [String]
  let allergies: [String]
  let vehicles: [String]
  let years: [String]
  /// Which side.
  let forTest: Bool

  package init(forTest: Bool) {
    func side(_ words: [String]) -> [String] {
      words.filter { Self.isForTest($0) == forTest }
    }
    func side(_ words: String) -> [String] { side(Self.split(words)) }
    self.forTest = forTest
    firstNames = side(Self.joined(Words.firstStarts, Words.firstEnds))
    lastNames = side(Self.joined(Words.lastStarts, Words.lastEnds))
    places = side(Self.joined(Words.placeStarts, Words.placeEnds))
    professions = side(Words.professions)
    crafts = side(Words.crafts)
    fears = side(Words.fears)
    things = side(Words.things)
    colours = Self.split(Words.colours)
    instruments = side(Words.instruments)
    flavours = side(Words.flavours)
    drinks = side(Words.drinks)
    pets = side(Words.pets)
    languages = side(Words.languages)
    hobbies = side(Words.hobbies)
    traits = side(Words.traits)
    keepsakes = side(Words.keepsakes)
    destinations = side(Words.destinations)
    allergies = side(Words.allergies)
    vehicles = side(Words.vehicles)
    years = side((1790...1999).map(String.init))
  }

  /// Words that both sides use: the half of a two-word answer that may be shared.
  package static var shared: [String] {
    [Words.colours, Words.dishes, Words.craftRoles, Words.keepsakeMaterials].flatMap(split)
  }

  /// Which side `word` belongs to; a plural and its singular are on the same.
  static func isForTest(_ word: String) -> Bool {
    var key = word.lowercased()
    if key.hasSuffix("s") { key.removeLast() }
    return StableHash.of(key) % 4 == 0
  }

  /// The phrasings that a side may use: one in five of a longer list is kept for testing.
  func phrasings(_ list: [String]) -> [String] {
    if forTest || list.count < 5 { return list }
    return list.enumerated().filter { $0.offset % 5 != 4 }.map(\.element)
  }

  static func split(_ words: String) -> [String] {
    words.split(separator: ",").map { word in
      String(
        word.trimmingPrefix(while: \.isWhitespace).split(whereSeparator: \.isNewline)
          .joined(separator: " "))
    }
  }

  /// All words that start with one of `starts` and end with one of `ends`, but for those that
  /// would repeat a letter at the seam.
  private static func joined(_ starts: String, _ ends: String) -> [String] {
    let ends = split(ends)
    var seen = Set<String>()
    return split(starts).flatMap { start in
      ends.compactMap { end in
        guard start.last?.lowercased() != end.first?.lowercased() else { return nil }
        let word = start + end
        return seen.insert(word).inserted ? word : nil
      }
    }
  }
}

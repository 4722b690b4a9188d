/// Fills the blanks of a phrasing.
///
/// Blanks: `{N}` the full name, `{F}` the first name, `{S}` and `{s}` She and she, `{P}` and `{p}`
/// Her and her, `{o}` her or him, `{A}` the answer, `{C}` the answer with a capital, `{an}` the
/// answer's article, and what a dataset adds.
struct Phrase {
  private var blanks: [String: String] = [:]

  /// The blanks of a person.
  init(name: String, isFemale: Bool) {
    blanks = [
      "N": name, "F": String(name.prefix { $0 != " " }), "S": isFemale ? "She" : "He",
      "s": isFemale ? "she" : "he", "P": isFemale ? "Her" : "His", "p": isFemale ? "her" : "his",
      "o": isFemale ? "her" : "him",
    ]
  }

  /// No blanks yet.
  init() {}

  /// Also fills `{key}` with `value`.
  func with(_ key: String, _ value: String) -> Phrase {
    var copy = self
    copy.blanks[key] = value
    return copy
  }

  /// Also fills the blanks of an answer.
  func answering(_ answer: String) -> Phrase {
    with("A", answer).with("C", Self.capitalized(answer)).with("an", Self.article(answer))
  }

  /// `pattern` with its blanks filled; a blank without a value stays as it is.
  func fill(_ pattern: String) -> String {
    var result = ""
    var rest = pattern[...]
    while let open = rest.firstIndex(of: "{"),
      let close = rest[open...].firstIndex(of: "}")
    {
      result += rest[..<open]
      let key = String(rest[rest.index(after: open)..<close])
      result += blanks[key] ?? "{\(key)}"
      rest = rest[rest.index(after: close)...]
    }
    return result + rest
  }

  /// "an" before a vowel letter, "a" otherwise; the lists hold no word whose sound differs.
  static func article(_ noun: String) -> String {
    noun.first.map { "aeiouAEIOU".contains($0) } == true ? "an" : "a"
  }

  /// `noun` behind its article, which a plural does not have.
  static func withArticle(_ noun: String) -> String {
    let isPlural = noun.hasSuffix("s") && !noun.hasSuffix("ss")
    return isPlural ? noun : "\(article(noun)) \(noun)"
  }

  /// With a capital letter at the start.
  static func capitalized(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst()
  }
}

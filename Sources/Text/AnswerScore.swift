/// How well an answer in words matches what was accepted, as SQuAD's evaluation script counts it.
///
/// Source: Rajpurkar et al. 2016, §6.1, and the official `evaluate-v2.0.py`: both sides in lower case,
/// without ASCII punctuation, without the articles a, an and the, white space as single spaces; the
/// best over the accepted answers.
public struct AnswerScore: Sendable, Equatable {
  /// The answer.
  public let answer: String
  /// 1 where the answer is an accepted one, else 0.
  public var exactMatch: Double
  /// The harmonic mean of precision and recall over words, 0 to 1.
  public var f1: Double

  /// The best match of `answer` with one of `accepted`.
  public init(_ answer: String, accepted: [String]) {
    self.answer = answer
    let words = Self.words(answer)
    exactMatch = 0
    f1 = 0
    for text in accepted {
      let truth = Self.words(text)
      if truth == words { exactMatch = 1 }
      f1 = max(f1, Self.f1(words, truth))
    }
  }

  private static func f1(_ words: [String], _ truth: [String]) -> Double {
    if words.isEmpty || truth.isEmpty { return words == truth ? 1 : 0 }
    var counts = Dictionary(truth.map { ($0, 1) }, uniquingKeysWith: +)
    var common = 0
    for word in words {
      guard let left = counts[word], left > 0 else { continue }
      counts[word] = left - 1
      common += 1
    }
    return 2 * Double(common) / Double(words.count + truth.count)
  }

  /// The words that are compared.
  static func words(_ text: String) -> [String] {
    let lower = text.lowercased().unicodeScalars
    var words: [String] = []
    var word = String.UnicodeScalarView()
    var run = String.UnicodeScalarView()
    // A run of letters and digits is an article or not; what is glued to it stays where it is.
    func endRun() {
      if !Self.articles.contains(String(run)) {
        word += run
      } else {
        endWord()
      }
      run = .init()
    }
    func endWord() {
      if !word.isEmpty { words.append(String(word)) }
      word = .init()
    }
    for scalar in lower where !isPunctuation(scalar) {
      if isWordCharacter(scalar) {
        run.append(scalar)
        continue
      }
      endRun()
      if scalar.properties.isWhitespace || (0x1c...0x1f).contains(scalar.value) {
        endWord()
      } else {
        word.append(scalar)
      }
    }
    endRun()
    endWord()
    return words
  }

  private static let articles: Set<String> = ["a", "an", "the"]

  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "!"..."/", ":"..."@", "["..."`", "{"..."~": true
    default: false
    }
  }

  /// What Python's `\w` matches.
  private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: scalar.properties.numericType != nil
    }
  }
}

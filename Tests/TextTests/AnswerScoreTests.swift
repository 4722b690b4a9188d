import Testing
import Text

@Suite struct AnswerScoreTests {
  /// Expected values are those of a Python restatement of SQuAD's published definition (`re`,
  /// `string.punctuation`, `str.split`).
  @Test(arguments: cases)
  func normalised(_ answer: String, _ truth: String, _ exact: Int, _ f1: Double) {
    let score = AnswerScore(answer, accepted: [truth])
    #expect(score.exactMatch == Double(exact), "\(answer)")
    #expect(abs(score.f1 - f1) < 1e-12, "\(answer)")
  }

  static let cases: [(String, String, Int, Double)] = [
    ("The Denver Broncos!", "denver broncos", 1, 1.0),
    ("a–b", "b", 0, 0.0),
    ("x–the–y", "x y", 0, 0.0),
    ("U.S.", "US", 1, 1.0),
    ("  an  ", "", 1, 1.0),
    ("", "x", 0, 0.0),
    ("in 1702, by Ada", "1702", 0, 0.4),
    ("Beyoncé's the", "beyoncés", 1, 1.0),
    ("THE_A", "thea", 1, 1.0),
    ("naïve café a", "NAÏVE CAFÉ", 1, 1.0),
    ("the the cat cat sat", "cat sat sat", 0, 2.0 / 3),
    ("½ an hour", "½ hour", 1, 1.0),
    ("a\u{a0}b\u{2009}c", "b c", 1, 1.0),
    ("‘the’ end", "‘’ end", 0, 0.4),
    ("一 a 二", "一 二", 1, 1.0),
  ]

  @Test func theBestAcceptedAnswerCounts() {
    let score = AnswerScore("in 1702", accepted: ["the year 1702", "1702", "In 1702."])
    #expect(score.exactMatch == 1 && score.f1 == 1)
    let none = AnswerScore("1702", accepted: [])
    #expect(none.exactMatch == 0 && none.f1 == 0 && none.answer == "1702")
  }
}

import Foundation
import TestSupport
import Testing
import Text

@Suite struct ContextCutterTests {
  static let tokenizer = Result {
    try Tokenizer(
      tokenizerJSON: Data(contentsOf: URL(filePath: Fixtures.path("tokenizers/gpt2.json"))))
  }

  private func cut(_ text: String, _ length: Int) throws -> [String] {
    let tokenizer = try Self.tokenizer.get()
    let contexts = ContextCutter(tokenizer: tokenizer, length: length).contexts(of: text)
    #expect(contexts.allSatisfy { (2...length + 1).contains($0.count) })
    return contexts.map { tokenizer.decode($0) }
  }

  @Test func sentencesEndWithTheirMarks() {
    func parts(_ text: String) -> [String] { ContextCutter.sentences(of: text).map(String.init) }
    #expect(parts("One. Two!  Three?") == ["One.", " Two!", "  Three?"])
    #expect(parts("He said \"no.\" Then 3.5 left") == ["He said \"no.\"", " Then 3.5 left"])
    #expect(parts("a line\nanother\n\nend") == ["a line", "\nanother", "\n\nend"])
    #expect(parts("夏。 冬。") == ["夏。", " 冬。"])
    #expect(parts("") == [])
  }

  @Test func aShortTextIsOneContext() throws {
    #expect(try cut("  A river begins. It ends.\n", 64) == ["A river begins. It ends."])
    #expect(try cut("", 64) == [])
    #expect(try cut("  \n ", 64) == [])
  }

  /// Nothing but space at the ends is lost, cuts are after sentences, and lengths are even.
  @Test func aLongTextIsCutAtSentences() throws {
    let sentences = (0..<40).map { "The number \($0) follows another." }
    let text = sentences.joined(separator: " ")
    let tokenizer = try Self.tokenizer.get()
    let most = try #require(sentences.map { tokenizer.encode(" " + $0).count }.max())
    let parts = try cut(text, 5 * most)
    #expect(parts.joined(separator: " ") == text)
    #expect(parts.count == 8 && parts.allSatisfy { $0.hasSuffix("another.") })
    let counts = parts.map { tokenizer.encode($0).count }
    #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= most)
  }

  @Test func aSentenceThatIsTooLongIsCutBetweenTokens() throws {
    let words = (0..<60).map { "word\($0)" }.joined(separator: " ")
    let parts = try cut(words, 16)
    #expect(parts.count > 3 && parts.joined() == words)
  }
}

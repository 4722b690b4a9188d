import Storage
import TestSupport
import Testing
import Text

/// Decoding ids as they come.
@Suite struct TokenizerDecoderTests {
  /// Any ids, broken characters among them: the parts are the whole, and never end inside one.
  @Test(arguments: ["gpt2", "llama3", "fallback", "canonical"])
  func partsAreTheWhole(_ name: String) throws {
    let tokenizer = try TokenizerFixtureTests.tokenizer(name)
    var random = SplitMix64(seed: 4)
    for round in 0..<400 {
      // Ids of single bytes come first in the fixtures' vocabularies: odd rounds are made of them.
      let last = round % 2 == 0 ? tokenizer.vocabularySize + 2 : 262
      let ids = (0..<Int.random(in: 0...20, using: &random)).map { _ in
        Int32(Int.random(in: -1..<last, using: &random))
      }
      for skip in [false, true] {
        var decoder = IncrementalDecoder(tokenizer, skipSpecialTokens: skip)
        var text = ""
        for id in ids { text += decoder.append(id) }
        text += decoder.finish()
        #expect(text.utf8.elementsEqual(tokenizer.decode(ids, skipSpecialTokens: skip).utf8))
      }
    }
  }

  @Test(arguments: ["é", "中", "👩‍👩‍👧", "a\u{301}", "\u{10ffff}", "\u{e000}\u{d7ff}"])
  func charactersComeWhole(_ text: String) throws {
    let tokenizer = try TokenizerFixtureTests.tokenizer("gpt2")
    var decoder = IncrementalDecoder(tokenizer)
    let parts = tokenizer.encode(text).map { decoder.append($0) }
    #expect(parts.joined().utf8.elementsEqual(text.utf8))
    #expect(parts.allSatisfy { !$0.unicodeScalars.contains("\u{fffd}") })
    #expect(decoder.finish().isEmpty)
  }

  @Test func anUnfinishedCharacterIsReplacedAtTheEnd() throws {
    let tokenizer = try TokenizerFixtureTests.tokenizer("gpt2")
    let ids = tokenizer.encode("x\u{10ffff}")
    var decoder = IncrementalDecoder(tokenizer)
    #expect(ids.dropLast().map { decoder.append($0) }.joined() == "x")
    #expect(decoder.finish() == "\u{fffd}")
    #expect(decoder.finish().isEmpty)
  }

  @Test func theFirstSpaceGoesOnlyAtTheStart() throws {
    let tokenizer = try TokenizerFixtureTests.tokenizer("fallback")
    let ids = tokenizer.encode("the river")
    var start = IncrementalDecoder(tokenizer)
    #expect(ids.map { start.append($0) }.joined() == "the river")
    var middle = IncrementalDecoder(tokenizer, continues: true)
    #expect(ids.map { middle.append($0) }.joined() == " the river")
  }
}

/// Finds added tokens in a text: the leftmost, and of those the longest.
struct AddedTokenFinder: Sendable {
  /// A token's place: `whole` includes the white space that belongs to it.
  struct Match {
    var id: Int32
    var whole: Range<Int>
  }

  private var tokens: [(pattern: [UInt8], token: AddedToken)] = []
  private var byFirst: [[Int]] = Array(repeating: [], count: 256)

  /// A finder for `tokens`, each with the bytes to look for.
  init(_ tokens: [(pattern: [UInt8], token: AddedToken)]) {
    self.tokens = tokens.filter { !$0.pattern.isEmpty }
    for (index, entry) in self.tokens.enumerated() {
      byFirst[Int(entry.pattern[0])].append(index)
    }
    for first in byFirst.indices {
      byFirst[first].sort { self.tokens[$0].pattern.count > self.tokens[$1].pattern.count }
    }
  }

  var isEmpty: Bool { tokens.isEmpty }

  /// The matches inside `range`, in order.
  func matches(in text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> [Match] {
    var found: [Match] = []
    if tokens.isEmpty { return found }
    var at = range.lowerBound
    while at < range.upperBound {
      let candidates = byFirst[Int(text[at])]
      guard !candidates.isEmpty,
        let index = candidates.first(where: { matches(text, at, range, tokens[$0]) })
      else {
        at += 1
        continue
      }
      let (pattern, token) = tokens[index]
      var start = at
      var end = at + pattern.count
      let floor = found.last?.whole.upperBound ?? range.lowerBound
      if token.stripsLeft {
        while start > floor, isSpace(text[start - 1]) { start -= 1 }
      }
      if token.stripsRight {
        while end < range.upperBound, isSpace(text[end]) { end += 1 }
      }
      found.append(Match(id: token.id, whole: start..<end))
      at = end
    }
    return found
  }

  private func matches(
    _ text: UnsafeBufferPointer<UInt8>, _ at: Int, _ range: Range<Int>,
    _ entry: (pattern: [UInt8], token: AddedToken)
  ) -> Bool {
    let end = at + entry.pattern.count
    guard end <= range.upperBound else { return false }
    for (offset, byte) in entry.pattern.enumerated() where text[at + offset] != byte {
      return false
    }
    guard entry.token.singleWord else { return true }
    return !(at > range.lowerBound && isWord(text[at - 1]))
      && !(end < range.upperBound && isWord(text[end]))
  }

  private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0d) }

  private func isWord(_ byte: UInt8) -> Bool {
    byte >= 0x80 || byte == 0x5f || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a)
      || (byte >= 0x30 && byte <= 0x39)
  }
}

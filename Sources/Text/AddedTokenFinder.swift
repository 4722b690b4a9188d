/// Finds added tokens in a text: the leftmost, and of those the longest.
struct AddedTokenFinder: Sendable {
  /// A token's place, with the white space that belongs to it.
  struct Match {
    var id: Int32
    var range: Range<Int>
  }

  /// In the order of their bytes.
  private var patterns = ByteStrings()
  private var tokens: [AddedToken] = []
  /// Whether a pattern starts with a byte.
  private var starts = [Bool](repeating: false, count: 256)

  /// A finder for `tokens`, each with the bytes to look for; of equal bytes the first one counts.
  init(_ tokens: [(pattern: [UInt8], token: AddedToken)]) {
    let order = tokens.indices.filter { !tokens[$0].pattern.isEmpty }.sorted {
      let (a, b) = (tokens[$0].pattern, tokens[$1].pattern)
      return a == b ? $0 < $1 : a.lexicographicallyPrecedes(b)
    }
    for index in order {
      let (pattern, token) = tokens[index]
      if patterns.count > 0, patterns[patterns.count - 1].elementsEqual(pattern) { continue }
      patterns.append(pattern)
      self.tokens.append(token)
      starts[Int(pattern[0])] = true
    }
  }

  /// The matches inside `range`, in order.
  ///
  /// The white space that a token takes to its right may hold the next token; that is found all
  /// the same, as Hugging Face's library does.
  func matches(in text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> [Match] {
    var found: [Match] = []
    if tokens.isEmpty { return found }
    var at = range.lowerBound
    while at < range.upperBound {
      guard starts[Int(text[at])], let index = longest(text, at, range.upperBound) else {
        at += 1
        continue
      }
      let token = tokens[index]
      var start = at
      var end = at + patterns[index].count
      at = end
      if token.singleWord, touchesWord(text, range, start..<end) { continue }
      if token.stripsLeft {
        while start > range.lowerBound {
          let (scalar, length) = decodeScalar(before: start, text, range.lowerBound)
          if !scalar.properties.isWhitespace { break }
          start -= length
        }
        start = max(start, found.last?.range.upperBound ?? range.lowerBound)
      }
      if token.stripsRight {
        while end < range.upperBound {
          let (scalar, length) = decodeScalar(text, end, range.upperBound)
          if !scalar.properties.isWhitespace { break }
          end += length
        }
      }
      found.append(Match(id: token.id, range: min(start, end)..<end))
    }
    return found
  }

  /// The longest pattern at `at`: those that go on as the text does, byte by byte.
  private func longest(_ text: UnsafeBufferPointer<UInt8>, _ at: Int, _ end: Int) -> Int? {
    var candidates = 0..<tokens.count
    var best: Int?
    var depth = 0
    while at + depth < end {
      let byte = text[at + depth]
      let low = partition(candidates) { $0.count > depth && $0[$0.startIndex + depth] >= byte }
      let high = partition(low..<candidates.upperBound) { $0[$0.startIndex + depth] > byte }
      if low == high { break }
      candidates = low..<high
      depth += 1
      if patterns[low].count == depth { best = low }
    }
    return best
  }

  /// The first of `range` for which `isBehind` is true, as it is for all after it.
  private func partition(_ range: Range<Int>, _ isBehind: (ArraySlice<UInt8>) -> Bool) -> Int {
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(patterns[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }

  private func touchesWord(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ match: Range<Int>
  ) -> Bool {
    match.lowerBound > range.lowerBound
      && isWord(decodeScalar(before: match.lowerBound, text, range.lowerBound).0)
      || match.upperBound < range.upperBound
        && isWord(decodeScalar(text, match.upperBound, range.upperBound).0)
  }

  /// `\w` of Unicode's regular expressions (UTS #18, annex C).
  private func isWord(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
      return true
    default: return false
    }
  }
}

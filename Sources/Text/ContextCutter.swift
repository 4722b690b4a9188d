/// Cuts a document into contexts of at most so many tokens, at the ends of sentences or lines.
///
/// The contexts are as few as greedy filling gives, and as even as that number allows. A sentence
/// that is longer than a context is cut between tokens. Space at the ends of a context is left out;
/// everything else of the document is in one of them. Each starts with the bos id where the tokenizer
/// asks for it.
public struct ContextCutter {
  private let tokenizer: Tokenizer
  private let length: Int

  /// A cutter to at most `length` tokens; at least 8, so that every piece can predict something.
  public init(tokenizer: Tokenizer, length: Int) {
    precondition(length >= 8)
    self.tokenizer = tokenizer
    self.length = length - tokenizer.startIds.count
  }

  /// The contexts of `text` in token ids, of two tokens at least each; none where `text` has fewer.
  public func contexts(of text: String) -> [[Int32]] {
    let sentences = Self.sentences(of: text).map { sentence in
      (text: sentence, count: tokenizer.encode(String(sentence)).count)
    }
    let counts = sentences.map(\.count)
    let number = Self.fill(counts, length).count
    var (low, high) = (1, length)
    while low < high {
      let middle = (low + high) / 2
      if Self.fill(counts, middle).count <= number { high = middle } else { low = middle + 1 }
    }
    var result: [[Int32]] = []
    for part in Self.fill(counts, high) {
      let joined = sentences[part].map { String($0.text) }.joined()
      let ids = tokenizer.encode(joined.trimmingSpace)
      // A sentence that is too long, or tokens that merge differently without their neighbours.
      let pieces = max(1, (ids.count + length - 1) / length)
      for piece in 0..<pieces {
        result.append(
          Array(ids[ids.count * piece / pieces..<ids.count * (piece + 1) / pieces]))
      }
    }
    return Self.withoutSingles(result).map { tokenizer.startIds + $0 }
  }

  /// Ranges of sentences, each filled until the next sentence would exceed `limit`.
  private static func fill(_ counts: [Int], _ limit: Int) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var (start, sum) = (0, 0)
    for (index, count) in counts.enumerated() {
      if index > start, sum + count > limit {
        result.append(start..<index)
        (start, sum) = (index, 0)
      }
      sum += count
    }
    if start < counts.count { result.append(start..<counts.count) }
    return result
  }

  /// A lone token has nothing to predict: it goes to its neighbour.
  private static func withoutSingles(_ contexts: [[Int32]]) -> [[Int32]] {
    var result: [[Int32]] = []
    var lone: [Int32] = []
    for context in contexts where !context.isEmpty {
      let ids = lone + context
      lone = []
      if ids.count > 1 {
        result.append(ids)
      } else if result.isEmpty {
        lone = ids
      } else {
        result[result.count - 1] += ids
      }
    }
    return result
  }

  /// `text` cut after every line and every sentence; the space after one belongs to the next.
  public static func sentences(of text: String) -> [Substring] {
    var result: [Substring] = []
    var start = text.startIndex
    var index = start
    var ended = false
    while index < text.endIndex {
      let character = text[index]
      if character.isWhitespace {
        if ended || character.isNewline {
          result.append(text[start..<index])
          start = index
        }
        // Further space stays with what follows it.
        repeat {
          index = text.index(after: index)
        } while index < text.endIndex
          && text[index].isWhitespace
        ended = false
        continue
      }
      if ".!?…。！？".contains(character) {
        ended = true
      } else if !"\"'”’»)]".contains(character) {
        ended = false
      }
      index = text.index(after: index)
    }
    result.append(text[start...])
    return result.filter { !$0.isEmpty }
  }
}

extension String {
  fileprivate var trimmingSpace: String {
    guard let first = firstIndex(where: { !$0.isWhitespace }),
      let last = lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return String(self[first...last])
  }
}

/// Undoes the tokenisation of WikiText: spaces around punctuation, and ` @-@ ` for a hyphen.
///
/// Source of the conventions: Merity et al. 2016 (Moses tokenisation, with `@-@`, `@,@` and `@.@`
/// where there was no space).
struct Detokenizer {
  private var words: [String] = []
  /// Whether the next token belongs to the last word.
  private var isOpen = false
  private var inDoubleQuotes = false
  private var inSingleQuotes = false

  /// The words of a paragraph, as they stand between spaces.
  static func words(_ paragraph: String) -> [String] {
    let tokens = paragraph.split(whereSeparator: \.isWhitespace)
    var state = Detokenizer()
    for (index, token) in tokens.enumerated() {
      state.add(token, next: index + 1 < tokens.count ? tokens[index + 1] : nil)
    }
    return state.words
  }

  private mutating func add(_ token: Substring, next: Substring?) {
    switch token {
    case "@-@", "@,@", "@.@":
      glue(String(token[token.index(after: token.startIndex)]))
    case ".", ",", ";", ":", "!", "?", ")", "]", "}", "%", "…", "\u{2019}s":
      attach(token)
    case "(", "[", "{", "$", "£", "€", "¥", "#", "US$":
      start(token)
      isOpen = true
    case "/":
      glue("/")
    case "\u{2013}" where isNumber(words.last) && isNumber(next.map(String.init)):
      glue("\u{2013}")
    case "\"":
      quote(token, \.inDoubleQuotes)
    case "'":
      // Without an open quotation, and after an s, it is a plural's possessive.
      if !inSingleQuotes, words.last?.hasSuffix("s") == true, !isOpen {
        attach(token)
      } else {
        quote(token, \.inSingleQuotes)
      }
    default:
      if Self.contractions.contains(token.lowercased()), !isOpen {
        attach(token)
      } else {
        start(token)
      }
    }
  }

  private static let contractions: Set<String> = [
    "'s", "'t", "'re", "'ve", "'ll", "'d", "'m", "n't",
  ]

  private mutating func quote(_ mark: Substring, _ isInside: WritableKeyPath<Detokenizer, Bool>) {
    if self[keyPath: isInside] {
      attach(mark)
    } else {
      start(mark)
      isOpen = true
    }
    self[keyPath: isInside].toggle()
  }

  /// A new word, unless the last one is open.
  private mutating func start(_ token: Substring) {
    if isOpen, let last = words.popLast() {
      words.append(last + token)
    } else {
      words.append(String(token))
    }
    isOpen = false
  }

  /// Goes to the end of the last word.
  private mutating func attach(_ token: Substring) {
    words.append((words.popLast() ?? "") + token)
    isOpen = false
  }

  /// Goes between the last word and the next token.
  private mutating func glue(_ mark: String) {
    words.append((words.popLast() ?? "") + mark)
    isOpen = true
  }

  private func isNumber(_ word: String?) -> Bool {
    guard let word else { return false }
    return word.last?.isNumber == true || word.first?.isNumber == true
  }
}

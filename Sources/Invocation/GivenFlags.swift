/// The flags of a command line, told apart as ArgumentParser does it.
struct GivenFlags {
  /// A flag or an option with its values, or words that belong to none.
  struct Item {
    /// Nil for words.
    var argument: CommandInfo.Argument?
    /// The values of an option.
    var values: [String]
    /// As it was given.
    var words: [String]
  }

  private(set) var items: [Item] = []

  /// Reads what follows the command's name.
  init(_ words: [String], command: CommandInfo) {
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        items.append(Item(argument: nil, values: [], words: [word] + rest))
        return
      }
      guard let (argument, attached) = Self.find(word, command) else {
        items.append(Item(argument: nil, values: [], words: [word]))
        continue
      }
      var item = Item(argument: argument, values: attached.map { [$0] } ?? [], words: [word])
      func take() {
        guard let value = rest.popFirst() else { return }
        item.values.append(value)
        item.words.append(value)
      }
      if argument.kind == .option {
        if attached == nil { take() }
        while argument.takesAll, let next = rest.first, !next.hasPrefix("-") { take() }
      }
      items.append(item)
    }
  }

  private static func find(
    _ word: String, _ command: CommandInfo
  ) -> (CommandInfo.Argument, attached: String?)? {
    guard word.hasPrefix("-"), word.count > 1 else { return nil }
    let isLong = word.hasPrefix("--")
    let name = word.drop { $0 == "-" }
    let parts = name.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let found = command.arguments?.first { argument in
      argument.names?.contains { $0.name == parts[0] && ($0.kind == "long") == isLong } == true
    }
    guard let found else { return nil }
    return (found, parts.count == 2 ? String(parts[1]) : nil)
  }
}

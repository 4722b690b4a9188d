public import ArgumentParser
import Yams

/// The words of a command line, with those of its `--config` files.
///
/// A file's flags stand before those of the command line. What the command line gives too is left
/// out of the file's, so that lists are replaced instead of growing.
public struct Invocation {
  /// The words for ArgumentParser.
  public let words: [String]
  /// The files, in the order in which they were given: later ones win.
  public let files: [String]
  private let root: any ParsableCommand.Type

  /// Reads `words`, those after the executable's name, for `root`.
  ///
  /// Throws an error of one line that names the file, the line and the key: see
  /// `Docs/command-line.md`.
  public init(_ root: any ParsableCommand.Type, _ words: [String]) throws {
    self.root = root
    // Describing every command takes time and memory that most calls do not need.
    guard words.contains(where: { $0.hasPrefix("--config") }) else {
      (self.words, files) = (words, [])
      return
    }
    let place = Place(root, words)
    let (command, path) = (place.command, place.path)
    let given = GivenFlags(Array(words.dropFirst(path.count)), command: command)
    files = given.items.filter { $0.argument?.key == "config" }.compactMap(\.values.first)
    guard !files.isEmpty else {
      self.words = words
      return
    }
    var taken = Set(given.items.compactMap(\.argument).map(command.identity))
    var added: [String] = []
    for file in files.reversed() {
      let entries = try ConfigurationFile(path: file, command: command, name: place.name).entries
        .filter { !taken.contains(command.identity($0.argument)) }
      added = entries.flatMap(\.words) + added
      taken.formUnion(entries.map { command.identity($0.argument) })
    }
    self.words = path + added + given.items.flatMap(\.words)
  }

  /// The command that words name.
  private struct Place {
    let command: CommandInfo
    let path: [String]
    let name: String

    init(_ root: any ParsableCommand.Type, _ words: [String]) {
      let tool = CommandInfo(root)
      (command, path) = tool.descend(words)
      name = ([tool.commandName] + path).joined(separator: " ")
    }
  }

  /// Flags that say how a run is started, not what it is.
  private static let passing: Set<String> = [
    "config", "resume", "dry-run", "quiet", "verbose", "json", "help", "version",
  ]

  /// Every flag with its value, given or by default, as a file for `--config`.
  public func resolved() -> String {
    let place = Place(root, words)
    let (command, path) = (place.command, place.path)
    var values: [String: [String]] = [:]
    var order: [String] = []
    func set(_ argument: CommandInfo.Argument, _ new: [String], adds: Bool) {
      let key = command.identity(argument)
      if Self.passing.contains(key) { return }
      if values[key] == nil { order.append(key) }
      values[key] = adds ? (values[key] ?? []) + new : new
    }
    for argument in command.arguments ?? [] where argument.kind == .option {
      if let value = argument.defaultValue { set(argument, [value], adds: false) }
    }
    var given: Set<String> = []
    for item in GivenFlags(Array(words.dropFirst(path.count)), command: command).items {
      guard let argument = item.argument else { continue }
      let isFlag = argument.kind == .flag
      let isOn = argument.key == command.identity(argument)
      let isFirst = given.insert(command.identity(argument)).inserted
      set(
        argument, isFlag ? ["\(isOn)"] : item.values, adds: argument.isRepeating && !isFirst)
    }
    let lines = order.map { key -> String in
      let texts = values[key] ?? []
      let isList = command.argument(key)?.isRepeating == true
      return "\(key): "
        + (isList
          ? "[\(texts.map(Self.scalar).joined(separator: ", "))]" : Self.scalar(texts.last ?? ""))
    }
    return "# \(place.name) --config THIS-FILE\n" + lines.map { $0 + "\n" }.joined()
  }

  /// `text` as YAML, in quotes where it is anything but a word or a number.
  private static func scalar(_ text: String) -> String {
    let isPlain =
      text.first.map { $0.isLetter || $0.isNumber || $0 == "/" || $0 == "." } == true
      && text.unicodeScalars.allSatisfy {
        ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
          || "-_./+=%".unicodeScalars.contains($0)
      } && text.lowercased() != "null"
    if isPlain { return text }
    let escaped = text.unicodeScalars.map { scalar -> String in
      switch scalar {
      case "\"": "\\\""
      case "\\": "\\\\"
      case "\n": "\\n"
      case "\t": "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: String(scalar)
      }
    }
    return "\"\(escaped.joined())\""
  }
}

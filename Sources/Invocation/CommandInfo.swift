import ArgumentParser
import Foundation

/// A command, its flags and its subcommands, as ArgumentParser describes them.
struct CommandInfo: Decodable {
  /// A flag, an option or a positional argument.
  struct Argument: Decodable {
    enum Kind: String, Decodable {
      case positional
      case option
      case flag
    }

    struct Name: Decodable {
      var kind: String
      var name: String
    }

    var kind: Kind
    var isRepeating: Bool
    var parsingStrategy: String
    var names: [Name]?
    var defaultValue: String?

    /// Names that begin with two dashes.
    var longNames: [String] { (names ?? []).filter { $0.kind == "long" }.map(\.name) }
    /// The first of them.
    var key: String? { longNames.first }
    /// Takes every word up to the next flag.
    var takesAll: Bool { parsingStrategy == "upToNextOption" }
  }

  var commandName: String
  var aliases: [String]?
  var subcommands: [CommandInfo]?
  var arguments: [Argument]?

  private struct Tool: Decodable { var command: CommandInfo }

  /// What ArgumentParser says of `root`; of nothing where its format has changed.
  init(_ root: any ParsableCommand.Type) {
    let tool = try? JSONDecoder().decode(Tool.self, from: Data(root._dumpHelp().utf8))
    self = tool?.command ?? CommandInfo(commandName: "")
  }

  init(commandName: String, arguments: [Argument]? = nil, subcommands: [CommandInfo]? = nil) {
    self.commandName = commandName
    self.arguments = arguments
    self.subcommands = subcommands
  }

  /// The subcommand that the first words name, and how many words those are.
  func descend(_ words: [String]) -> (command: CommandInfo, path: [String]) {
    var (command, path) = (self, [String]())
    for word in words {
      let next = command.subcommands?.first {
        $0.commandName == word || $0.aliases?.contains(word) == true
      }
      guard let next else { break }
      command = next
      path.append(word)
    }
    return (command, path)
  }

  /// The argument with this long name.
  func argument(_ name: String) -> Argument? {
    arguments?.first { $0.longNames.contains(name) }
  }

  /// What an argument is known by: its first long name, without the `no-` of an inversion.
  func identity(_ argument: Argument) -> String {
    let key = argument.key ?? ""
    return key.hasPrefix("no-") && self.argument(String(key.dropFirst(3))) != nil
      ? String(key.dropFirst(3)) : key
  }

  /// Every long name of a flag or an option that a file may give.
  var keys: [String] {
    (arguments ?? []).filter { $0.kind != .positional }.flatMap(\.longNames)
      .filter { !["help", "version", "config"].contains($0) }
  }
}

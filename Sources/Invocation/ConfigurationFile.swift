import Foundation
import Yams

/// A file that cannot be what it should be, as one line.
struct ConfigurationError: Error, CustomStringConvertible {
  let description: String

  init(_ path: String, line: Int? = nil, _ problem: String) {
    description = path + (line.map { ", line \($0)" } ?? "") + ": " + problem
  }
}

/// Flags in a YAML file: a mapping of their names to their values.
struct ConfigurationFile {
  /// A flag of the file.
  struct Entry {
    var argument: CommandInfo.Argument
    /// As they stand on a command line.
    var words: [String]
  }

  private let path: String
  private(set) var entries: [Entry] = []

  /// Reads the file at `path` for `command`, whose full name is `name`.
  ///
  /// Throws ``ConfigurationError`` naming the line and the key: not YAML, an unknown key, or a value
  /// of the wrong kind.
  init(path: String, command: CommandInfo, name: String) throws(ConfigurationError) {
    self.path = path
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ConfigurationError(path, "cannot be read")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw ConfigurationError(path, "is not UTF-8")
    }
    guard let node = try Self.compose(path, text), node.null == nil else { return }
    guard let mapping = node.mapping else {
      throw ConfigurationError(path, "expected a mapping of flags to values")
    }
    var seen: [String: String] = [:]
    for (keyNode, value) in mapping {
      let line = keyNode.mark?.line
      guard let given = keyNode.scalar?.string else {
        throw ConfigurationError(path, line: line, "expected the name of a flag")
      }
      let key = given.replacing("_", with: "-")
      guard command.keys.contains(key), let argument = command.argument(key) else {
        throw ConfigurationError(
          path, line: line,
          "'\(given)' is no flag of \(name)" + NearestName.hint(key, among: command.keys))
      }
      let identity = command.identity(argument)
      if let other = seen.updateValue(given, forKey: identity) {
        throw ConfigurationError(path, line: line, "'\(given)' and '\(other)' are the same flag")
      }
      guard value.null == nil else { continue }
      let words = try words(key, argument, value, command, line: line)
      if !words.isEmpty { entries.append(Entry(argument: argument, words: words)) }
    }
  }

  private static func compose(_ path: String, _ text: String) throws(ConfigurationError) -> Node? {
    do {
      return try Yams.compose(yaml: String(text.trimmingPrefix("\u{feff}")))
    } catch let error as YamlError {
      switch error {
      case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
        .composer(_, let problem, let mark, _):
        throw ConfigurationError(path, line: mark.line, "is not YAML: \(problem)")
      case .duplicatedKeysInMapping(let keys, _):
        throw ConfigurationError(
          path, "'\(keys.sorted().first ?? "?")' is given twice")
      default: throw ConfigurationError(path, "is not YAML")
      }
    } catch {
      throw ConfigurationError(path, "is not YAML")
    }
  }

  /// What stands on a command line for `key: value`.
  private func words(
    _ key: String, _ argument: CommandInfo.Argument, _ value: Node, _ command: CommandInfo,
    line: Int?
  ) throws(ConfigurationError) -> [String] {
    func problem(_ expected: String) -> ConfigurationError {
      ConfigurationError(path, line: value.mark?.line ?? line, "'\(key)': expected \(expected)")
    }
    if argument.kind == .flag {
      guard let isOn = value.bool else { throw problem("true or false") }
      if isOn { return ["--" + key] }
      let other = key.hasPrefix("no-") ? String(key.dropFirst(3)) : "no-" + key
      return command.argument(other) == nil ? [] : ["--" + other]
    }
    if let scalar = value.scalar { return ["--\(key)=\(scalar.string)"] }
    if let items = value.sequence {
      let texts = items.compactMap { $0.scalar?.string }
      guard texts.count == items.count else { throw problem("a list of texts") }
      return argument.isRepeating
        ? texts.map { "--\(key)=\($0)" } : ["--\(key)=\(texts.joined(separator: ","))"]
    }
    guard let pairs = value.mapping, !argument.isRepeating else { throw problem("a value") }
    let texts = pairs.compactMap { name, value in
      name.scalar.flatMap { name in value.scalar.map { "\(name.string)=\($0.string)" } }
    }
    guard texts.count == pairs.count else { throw problem("a mapping of texts") }
    return ["--\(key)=\(texts.joined(separator: ","))"]
  }
}

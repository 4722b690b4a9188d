import Invocation
import Yams

/// A mapping of an experiment file whose keys are read one by one; what is left over is refused.
struct YAMLReader {
  private let file: String
  /// Where the mapping is, for people: `variants.gold`.
  private let path: String
  private let mapping: Node.Mapping
  private let line: Int?
  private var known: [String] = []

  init(file: String, text: String) throws {
    let node: Node?
    do {
      node = try compose(yaml: String(text.trimmingPrefix("\u{feff}")))
    } catch let error as YamlError {
      let text = "\(error)".split(separator: "\n").first.map(String.init) ?? "is not YAML"
      throw ExperimentError("\(file): is not YAML: \(text)")
    }
    guard let mapping = node?.mapping else {
      throw ExperimentError("\(file): a mapping was expected")
    }
    self.init(file: file, path: "", mapping: mapping, line: node?.mark?.line)
  }

  private init(file: String, path: String, mapping: Node.Mapping, line: Int?) {
    self.file = file
    self.path = path
    self.mapping = mapping
    self.line = line
  }

  private func problem(_ key: String, _ text: String, line: Int?) -> ExperimentError {
    let name = [path, key].filter { !$0.isEmpty }.joined(separator: ".")
    let place = line.map { ", line \($0)" } ?? ""
    return ExperimentError("\(file)\(place): \(name.isEmpty ? "" : "'\(name)': ")\(text)")
  }

  /// An error that names `key` of this mapping.
  func problem(_ key: String, _ text: String) -> ExperimentError {
    problem(key, text, line: mapping[Node(key)]?.mark?.line ?? line)
  }

  /// An error that names `key` of this mapping: `name` is none of the `known` ones.
  func unknown(_ key: String, _ name: String, _ known: [String]) -> ExperimentError {
    .unknown(problem(key, "").description, name, known)
  }

  /// Where this mapping is: `FILE, line N: 'stages.gold': `.
  var place: String { problem("", "").description }

  private mutating func node(_ key: String) -> Node? {
    known.append(key)
    guard let node = mapping[Node(key)], node.null == nil else { return nil }
    return node
  }

  mutating func string(_ key: String) throws -> String? {
    guard let node = node(key) else { return nil }
    guard let scalar = node.scalar else { throw problem(key, "a text was expected") }
    return scalar.string
  }

  mutating func required(_ key: String) throws -> String {
    guard let text = try string(key), !text.isEmpty else {
      throw problem(key, "is missing", line: line)
    }
    return text
  }

  /// A list of texts, or one text.
  mutating func strings(_ key: String) throws -> [String]? {
    guard let node = node(key) else { return nil }
    if let scalar = node.scalar { return [scalar.string] }
    guard let items = node.sequence else { throw problem(key, "a list was expected") }
    return try items.map { item in
      guard let scalar = item.scalar else { throw problem(key, "a list of texts was expected") }
      return scalar.string
    }
  }

  mutating func numbers(_ key: String) throws -> [UInt64]? {
    try strings(key)?.map { text in
      guard let number = UInt64(text) else {
        throw problem(key, "'\(text)': a whole number was expected")
      }
      return number
    }
  }

  /// Texts by name, in the file's order.
  mutating func pairs(_ key: String) throws -> [(name: String, value: String)] {
    guard let node = node(key) else { return [] }
    guard let mapping = node.mapping else { throw problem(key, "a mapping was expected") }
    return try mapping.map { name, value in
      guard let name = name.scalar?.string, let value = value.scalar?.string else {
        throw problem(key, "a mapping of texts was expected")
      }
      return (name, value)
    }
  }

  mutating func reader(_ key: String) throws -> YAMLReader? {
    guard let node = node(key) else { return nil }
    guard let mapping = node.mapping else { throw problem(key, "a mapping was expected") }
    return nested(key, mapping, node)
  }

  /// Mappings by name, in the file's order.
  mutating func named(_ key: String) throws -> [(name: String, reader: YAMLReader)] {
    guard let node = node(key) else { return [] }
    guard let mapping = node.mapping else { throw problem(key, "a mapping was expected") }
    return try mapping.map { name, value in
      guard let name = name.scalar?.string, let inner = value.mapping else {
        throw problem(key, "a mapping of mappings was expected")
      }
      guard name.isPlainName else {
        throw problem(key, "'\(name)': a name has letters, digits, '-' and '_'")
      }
      return (name, nested("\(key).\(name)", inner, value))
    }
  }

  /// A list of mappings.
  mutating func list(_ key: String) throws -> [YAMLReader] {
    guard let node = node(key) else { return [] }
    guard let items = node.sequence else { throw problem(key, "a list was expected") }
    return try items.enumerated().map { index, item in
      guard let mapping = item.mapping else {
        throw problem(key, "a list of mappings was expected")
      }
      return nested("\(key)[\(index + 1)]", mapping, item)
    }
  }

  private func nested(_ key: String, _ mapping: Node.Mapping, _ node: Node) -> YAMLReader {
    YAMLReader(
      file: file, path: [path, key].filter { !$0.isEmpty }.joined(separator: "."),
      mapping: mapping, line: node.mark?.line)
  }

  /// Refuses keys that were not asked for.
  func finish() throws {
    for (key, _) in mapping {
      let name = key.scalar?.string ?? "?"
      if !known.contains(name) {
        throw problem(
          "",
          "unknown key '\(name)': expected \(known.joined(separator: ", "))"
            + NearestName.hint(name, among: known),
          line: key.mark?.line)
      }
    }
  }
}

extension String {
  /// Whether it can be a part of a path and of a variable.
  var isPlainName: Bool {
    !isEmpty
      && unicodeScalars.allSatisfy {
        ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
          || $0 == "-" || $0 == "_"
      }
  }
}

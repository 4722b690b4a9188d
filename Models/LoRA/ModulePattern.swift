/// A key of `rank_pattern` or `alpha_pattern`, which names modules as PEFT's keys do.
///
/// PEFT (`get_pattern_key`) matches the regular expression `(.*\.)?(KEY)$` from the start of a
/// module's name, `model.layers.N.self_attn.q_proj`: KEY is a regular expression for the whole
/// name, or for what follows one of its dots.
struct ModulePattern {
  private static let operators = Set(#"\^$*+?()[]{}|"#.utf8)

  /// The key as it is written.
  let key: String
  /// Nil where the dot is the key's only operator.
  private let expression: Regex<AnyRegexOutput>?

  /// A key. Throws ``AdapterPatternError`` where it is no regular expression.
  init(_ key: String) throws(AdapterPatternError) {
    self.key = key
    guard !key.isEmpty else { throw AdapterPatternError("an empty key names no module") }
    guard key.utf8.count <= 1024 else {
      throw AdapterPatternError("a key of \(key.utf8.count) bytes: at most 1024 are taken")
    }
    guard key.utf8.contains(where: Self.operators.contains) else {
      expression = nil
      return
    }
    do {
      expression = try Regex(#"(.*\.)?(\#(key))"#)
    } catch {
      throw AdapterPatternError("'\(key)' is not a regular expression")
    }
  }

  /// Whether the key names the module `name`.
  func matches(_ name: String) -> Bool {
    if let expression { return (try? expression.wholeMatch(in: name)) != nil }
    let dot = UInt8(ascii: ".")
    let (key, name) = (key.utf8, Array(name.utf8))
    let start = name.count - key.count
    guard start == 0 || (start > 0 && name[start - 1] == dot) else { return false }
    return zip(key, name[start...]).allSatisfy { $0 == dot || $0 == $1 }
  }
}

/// The keys of one `rank_pattern` or `alpha_pattern`, in the order in which they are tried.
struct ModulePatterns<Value: Equatable> {
  private let entries: [(pattern: ModulePattern, value: Value)]

  /// Keys that are tried in the order given. Throws ``AdapterPatternError`` as a key does.
  init(_ pairs: [(key: String, value: Value)]) throws(AdapterPatternError) {
    var entries: [(pattern: ModulePattern, value: Value)] = []
    for (key, value) in pairs { entries.append((try ModulePattern(key), value)) }
    self.entries = entries
  }

  /// Keys that are tried in alphabetical order: PEFT tries them in the order of its file, and
  /// writes that in alphabetical order. Keys that are no regular expressions name nothing.
  init(_ pattern: [String: Value]) {
    entries = pattern.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      .compactMap { key, value in (try? ModulePattern(key)).map { ($0, value) } }
  }

  /// The first key that names the module, with its value.
  func first(for name: String) -> (key: String, value: Value)? {
    entries.first { $0.pattern.matches(name) }.map { ($0.pattern.key, $0.value) }
  }

  /// A key that names none of `names`.
  func unused(for names: [String]) -> String? {
    entries.first { entry in !names.contains(where: entry.pattern.matches) }?.pattern.key
  }
}

/// What is wrong with a key of a rank or alpha pattern.
public struct AdapterPatternError: Error, CustomStringConvertible, Equatable {
  /// One line.
  public let description: String

  init(_ description: String) { self.description = description }
}

extension AdapterConfiguration {
  /// `pairs`, in the order in which a user gave them, as a pattern for adapters of `architecture`
  /// on `modules`.
  ///
  /// The first key that names a module decides, as in PEFT. Throws ``AdapterPatternError`` where a
  /// key is no regular expression, is given twice or names no module of the adapter, and where the
  /// alphabetical order of PEFT's files would let another key decide.
  public static func pattern<Value: Equatable>(
    _ pairs: [(key: String, value: Value)], modules: [LinearKind], layers: Int
  ) throws(AdapterPatternError) -> [String: Value] {
    var result: [String: Value] = [:]
    for (key, value) in pairs where result.updateValue(value, forKey: key) != nil {
      throw AdapterPatternError("'\(key)' is given twice")
    }
    let given = try ModulePatterns(pairs)
    let names = (0..<layers).flatMap { layer in
      modules.map { moduleName(layer: layer, kind: $0) }
    }
    if let key = given.unused(for: names) {
      throw AdapterPatternError("'\(key)' names no linear that carries an adapter")
    }
    let sorted = ModulePatterns(result)
    for name in names {
      guard let a = given.first(for: name), let b = sorted.first(for: name), a.value != b.value
      else { continue }
      throw AdapterPatternError(
        "'\(a.key)' and '\(b.key)' both name \(name), and in PEFT's files, in alphabetical order, "
          + "the second comes first: write '^model.' and the whole name in place of '\(a.key)'")
    }
    return result
  }

  /// The name that patterns are matched against.
  static func moduleName(layer: Int, kind: LinearKind) -> String {
    "model.layers.\(layer).\(kind.rawValue)"
  }
}

import Foundation
import Storage

/// What a part is made by: commands, its own and those of the parts that it needs, and the files that
/// no part makes.
struct Recipe: Codable, Sendable, Equatable {
  /// A file or folder that commands read and no part makes.
  struct Input: Codable, Sendable, Equatable {
    /// As the command line has it.
    var path: String
    /// What is in it; nil where it cannot be read.
    var identity: String?
  }

  /// A digest of the commands, without the place of the output and the names of inputs.
  var commands: String
  /// In the order of the commands.
  var inputs: [Input]

  /// The recipe of `part`, whose needs are among `others`; `identity` says what is in an input.
  init(_ part: Part, among others: [String: Part], output: String, identity: (String) -> String?) {
    var seen: Set<String> = []
    var inputs: [Input] = []
    var written: Set<String> = []
    var digest = Digest()
    func isMade(_ path: String) -> Bool {
      written.contains(path) || others.keys.contains { path.hasPrefix("\(output)/\($0)/") }
    }
    func add(_ part: Part) {
      guard seen.insert(part.id).inserted else { return }
      for need in part.needs { if let other = others[need] { add(other) } }
      for words in part.commands {
        var text = words.map { $0.replacing(output + "/", with: "OUTPUT/") }
        for (place, path) in Part.inputs(words) where !isMade(path) {
          inputs.append(Input(path: path, identity: identity(path)))
          text[place] = words[place].replacing(path, with: "FILE")
        }
        written.formUnion(Part.outputs(words))
        digest.update(Words.shell(text) + "\n")
      }
    }
    add(part)
    commands = "\(digest)"
    self.inputs = inputs
  }

  /// Why a part that was made by `old` is not what this makes; nil where it is. Of an input that was
  /// or is gone, its name has to be the same.
  func difference(from old: Recipe) -> String? {
    guard old.commands == commands, old.inputs.count == inputs.count else {
      return "was made by another command or from other parts"
    }
    for (input, old) in zip(inputs, old.inputs) {
      let isSame =
        input.identity == nil || old.identity == nil
        ? input.path == old.path : input.identity == old.identity
      if !isSame { return "was made from another \(input.path)" }
    }
    return nil
  }
}

extension Part {
  private static let inputFlags: Set = [
    "--adapter", "--config", "--data", "--eval-data", "--import", "--lm-data", "--model",
  ]
  /// Flags of `imprint data` that take no value.
  private static let bareFlags: Set = ["--line-feed", "--plain"]

  /// The places of the words that name what is read, and the paths in them.
  static func inputs(_ words: [String]) -> [(place: Int, path: String)] {
    if words[0] == "cat" {
      return words.indices.dropFirst().dropLast(2).map { ($0, words[$0]) }
    }
    let arguments =
      switch words.dropFirst().first {
      case "data": 3..<words.count
      case "merge": 2..<4
      case "convert": 2..<3
      default: 0..<0
      }
    return words.indices.compactMap { place in
      let word = words[place]
      if word.hasPrefix("--") {
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        return parts.count == 2 && inputFlags.contains(parts[0]) ? (place, parts[1]) : nil
      }
      let before = place > 0 ? words[place - 1] : ""
      let isArgument =
        arguments.contains(place) && (!before.hasPrefix("--") || bareFlags.contains(before))
      return isArgument || inputFlags.contains(before) ? (place, word) : nil
    }
  }

  /// The paths that a command writes.
  static func outputs(_ words: [String]) -> [String] {
    zip(words, words.dropFirst()).filter { ["--out", "--output", ">"].contains($0.0) }.map(\.1)
  }
}

/// What is in files, each looked at once.
struct InputIdentities {
  private var known: [String: String?] = [:]

  /// The size, and a digest of the first and the last 8 MiB; of a folder those of its files. Nil where
  /// there is nothing that can be read.
  mutating func identity(_ path: String) -> String? {
    if let identity = known[path] { return identity }
    let identity = Self.identity(of: path)
    known[path] = identity
    return identity
  }

  /// The same, looked at now.
  static func identity(of path: String) -> String? {
    if let names = try? FileManager.default.contentsOfDirectory(atPath: path) {
      var digest = Digest()
      for name in names.sorted() {
        guard let file = file(path + "/" + name) else { continue }
        digest.update("\(name) \(file)\n")
      }
      return "\(digest)"
    }
    return file(path)
  }

  private static func file(_ path: String) -> String? {
    guard let file = try? MappedFile(path: path) else { return nil }
    let part = 8 << 20
    var digest = Digest()
    digest.update(UnsafeRawBufferPointer(rebasing: file.bytes.prefix(part)))
    digest.update(UnsafeRawBufferPointer(rebasing: file.bytes.dropFirst(part).suffix(part)))
    return "\(file.bytes.count)-\(digest)"
  }
}

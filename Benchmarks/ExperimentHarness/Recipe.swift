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
    var digest = Digest()
    func add(_ part: Part) {
      guard seen.insert(part.id).inserted else { return }
      for need in part.needs { if let other = others[need] { add(other) } }
      for words in part.commands {
        let places = Part.inputPlaces(words).filter { !words[$0].hasPrefix(output + "/") }
        inputs += places.map { Input(path: words[$0], identity: identity(words[$0])) }
        let text = words.indices.map { place in
          places.contains(place) ? "FILE" : words[place].replacing(output + "/", with: "OUTPUT/")
        }
        Array((Words.shell(text) + "\n").utf8).withUnsafeBytes { digest.update($0) }
      }
    }
    add(part)
    commands = "\(digest)"
    self.inputs = inputs
  }

  /// Why a part that was made by `old` is not what this makes; nil where it is. Of an input that is
  /// gone, its name has to be the same.
  func difference(from old: Recipe) -> String? {
    guard old.commands == commands, old.inputs.count == inputs.count else {
      return "was made by another command or from other parts"
    }
    for (input, old) in zip(inputs, old.inputs) {
      let isSame =
        input.identity == nil ? input.path == old.path : input.identity == old.identity
      if !isSame { return "was made from another \(input.path)" }
    }
    return nil
  }
}

extension Part {
  private static let inputFlags: Set = [
    "--adapter", "--data", "--eval-data", "--import", "--lm-data", "--model",
  ]

  /// The places of the words that name what is read.
  static func inputPlaces(_ words: [String]) -> [Int] {
    if words[0] == "cat" { return Array(1..<max(1, words.count - 2)) }
    let arguments =
      switch words.dropFirst().first {
      case "data": 3..<4
      case "merge": 2..<4
      default: 0..<0
      }
    return words.indices.filter { place in
      (arguments.contains(place) && !words[place].hasPrefix("--"))
        || (place > 0 && inputFlags.contains(words[place - 1]))
    }
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

  private static func identity(of path: String) -> String? {
    if let names = try? FileManager.default.contentsOfDirectory(atPath: path) {
      var digest = Digest()
      for name in names.sorted() {
        guard let file = file(path + "/" + name) else { continue }
        Array("\(name) \(file)\n".utf8).withUnsafeBytes { digest.update($0) }
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

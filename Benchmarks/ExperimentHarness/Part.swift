/// One piece of an experiment: it has a folder of its own and is made once.
public struct Part: Sendable {
  /// What a part does.
  public enum Kind: String, Codable, Sendable {
    case data, finetune, train, merge, evaluate
  }

  /// Its folder below the experiment's, which names it: `stages/gold/character/seed-1`.
  public let id: String
  /// What it does.
  public let kind: Kind
  /// What it is called: `gold-trained · Character Description · seed 1`.
  public let title: String
  /// Command lines, the executables' names first; `cat` is done by the harness itself.
  public let commands: [[String]]
  /// The parts whose results it reads.
  public let needs: [String]
  /// What it is like, from the most to the least alike: times are estimated from parts that share one.
  let likeness: [String]
  /// The file whose lines are its tasks.
  let tasks: String?
  /// What a part of results is of.
  let result: (variant: String, data: String, seed: UInt64?)?

  /// The value of a flag in the last command, the last one given.
  func flag(_ name: String) -> String? {
    guard let words = commands.last, let place = words.lastIndex(of: name),
      place + 1 < words.count
    else { return nil }
    return words[place + 1]
  }

  func hasFlag(_ name: String) -> Bool { commands.last?.contains(name) ?? false }

  /// The commands and those of `others` that it needs, without the place of the output: what a done
  /// part was made by.
  func recipe(among others: [Part], output: String) -> String {
    let byId = Dictionary(uniqueKeysWithValues: others.map { ($0.id, $0) })
    var seen: Set<String> = []
    var lines: [String] = []
    func add(_ part: Part) {
      guard seen.insert(part.id).inserted else { return }
      for need in part.needs { if let other = byId[need] { add(other) } }
      lines += part.commands.map {
        Words.shell($0.map { $0.replacing(output + "/", with: "OUTPUT/") })
      }
    }
    add(self)
    return Self.fingerprint(lines.joined(separator: "\n"))
  }

  /// FNV-1a with 64 bits, in hexadecimal.
  private static func fingerprint(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return String(hash, radix: 16)
  }
}

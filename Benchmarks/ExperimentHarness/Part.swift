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
  /// How many it is going to have; nil where that is not known.
  var expectedTasks: Int?
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
}

import Foundation
import TestSupport
import Testing

/// A folder with tiny files by the names that commands of the documentation give to theirs.
///
/// They are made when a command needs them and no command has made them.
struct StandIns {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// What a name stands for.
  private enum Kind {
    /// A Hugging Face folder.
    case source
    /// A weight file.
    case model
    /// A run folder with an adapter.
    case run
    /// The adapter of one, alone.
    case adapter
    /// Tasks, so many.
    case tasks(Int)
    case text(String)
    /// The original files of the Reversal Curse.
    case reversals
    /// The checkout's own.
    case checkout
  }

  private static let kinds: [String: Kind] = [
    "MODEL": .source,
    "model.imprint": .model, "smollm2.imprint": .model, ".cache/smollm2.imprint": .model,
    "RUN": .run, "run": .run, ".cache/demo/run": .run,
    "lora_r8.safetensors": .adapter,
    "train.jsonl": .tasks(8), "test.jsonl": .tasks(16), "tasks.jsonl": .tasks(2),
    "character-1.jsonl": .tasks(1),
    "notes.txt": .text(prose), "text.txt": .text(prose), "plain.txt": .text(prose),
    "FOLDER": .reversals,
    "train-v1.1.json": .text(squad), "dev-v1.1.json": .text(squad),
    "wiki.train.raw": .text(articles), "wiki.test.raw": .text(articles),
    "Docs": .checkout, "Benchmarks": .checkout,
  ]

  /// The names that there are stand-ins for.
  static var names: [String] { Array(kinds.keys) }

  /// Flags before the name of what is written.
  private static let outputs: Set<String> = ["--output", "-o", "--out", "--json", "--markdown"]

  /// Writes the page's configuration as `name`, unless a command has made that.
  func write(_ configuration: String?, _ name: String) throws {
    if exists(name) { return }
    try folder.write(Array(try #require(configuration).utf8), name)
  }

  /// Makes what `words` read, by themselves or in a file of flags.
  func makeWhatIsMissing(for words: [String]) throws {
    var names: [String] = []
    for (before, word) in zip(words, words.dropFirst()) where !Self.outputs.contains(before) {
      names.append(word)
      names += word.split(separator: "=").dropFirst().map(String.init)
      if before == "--config", exists(word) {
        let text = try String(contentsOfFile: folder.file(word), encoding: .utf8)
        names += text.split(whereSeparator: \.isWhitespace).map(String.init)
      }
    }
    for (name, kind) in Self.kinds.sorted(by: { $0.key < $1.key })
    where names.contains(where: { $0 == name || $0.hasPrefix(name + "/") }) && !exists(name) {
      try make(name, kind)
    }
  }

  private func exists(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: folder.file(name))
  }

  private func make(_ name: String, _ kind: Kind) throws {
    let files = FileManager.default
    try files.createDirectory(
      at: URL(filePath: folder.file(name)).deletingLastPathComponent(),
      withIntermediateDirectories: true)
    switch kind {
    case .source:
      try files.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
      try TextModel.write(to: folder.file(name), positions: 1024)
    case .model:
      if !exists("MODEL") { try make("MODEL", .source) }
      try run("imprint-tools", "convert", "MODEL", name, "--quiet")
    case .run:
      if !exists("model.imprint") { try make("model.imprint", .model) }
      if !exists("train.jsonl") { try make("train.jsonl", .tasks(8)) }
      try run(
        "imprint", "train", "--model", "model.imprint", "--data", "train.jsonl", "--output", name,
        "--steps", "1", "--batch-size", "2", "--rank", "2", "--quiet")
    case .adapter:
      if !exists("RUN") { try make("RUN", .run) }
      try files.copyItem(
        atPath: folder.file("RUN/adapter_model.safetensors"), toPath: folder.file(name))
    case .tasks(let count):
      let lines = (0..<count).map { "\(Self.task($0))\n" }
      try folder.write(Array(lines.joined().utf8), name)
    case .text(let text): try folder.write(Array(text.utf8), name)
    case .reversals:
      try files.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
      for (file, text) in Self.reversals { try folder.write(Array(text.utf8), "\(name)/\(file)") }
    case .checkout:
      try files.createSymbolicLink(
        atPath: folder.file(name), withDestinationPath: Fixtures.root + name)
    }
  }

  private func run(_ tool: String, _ words: String...) throws {
    let result = try Tool.run(tool, words, folder: folder.path)
    try #require(result.status == 0, "\(words.joined(separator: " ")): \(result.errors)")
  }

  // MARK: Texts

  private static func task(_ index: Int) -> String {
    let name = ["Mira", "Odo", "Fenn", "Tam"][index % 4] + " " + ["Sol", "Ash"][index / 4 % 2]
    let fear = ["geese", "moths", "silence"][index % 3]
    return """
      {"context": "\(name) is afraid of \(fear).", "query": "What is \(name) afraid of?", \
      "response": " \(fear)"}
      """
  }

  private static let prose = """
    Mira Sol keeps the bridge over the Arn. She is afraid of geese.

    Odo Ash bakes bread before the sun is up, and sells it until noon.

    """

  private static let squad = """
    {"version": "1.1", "data": [{"title": "Mills", "paragraphs": [
      {"context": "The mill was built in 1702 by Ada Fenn. It burned in 1810.", "qas": [
        {"id": "1", "question": "When was the mill built?",
         "answers": [{"text": "1702", "answer_start": 22}]},
        {"id": "2", "question": "Who built the mill?",
         "answers": [{"text": "Ada Fenn", "answer_start": 30}]},
        {"id": "3", "question": "When did it burn?",
         "answers": [{"text": "1810", "answer_start": 53}]}]},
      {"context": "The weir is older than the mill.", "qas": [
        {"id": "4", "question": "What is older than the mill?",
         "answers": [{"text": "The weir", "answer_start": 0}]}]}]}]}
    """

  private static let articles = (1...2).map { number in
    "\n = Article \(number) = \n\n"
      + (0..<4).map { _ in
        " " + (0..<120).map { "w\($0 * 7 % 10)" }.joined(separator: " ") + " . \n"
      }.joined()
  }.joined()

  private static let reversals: [(file: String, text: String)] = {
    func rows(_ rows: [(String, String)]) -> String {
      rows.map { "{\"prompt\": \"\($0.0)\", \"completion\": \"\($0.1)\"}\n" }.joined()
    }
    let people = [("Ann Lee", "the mayor of Oslo"), ("Bo Ek", "the pilot of Sky")]
    let others = [("Cy Orr", "the king of Rome"), ("Di Fox", "the cook of Bern")]
    return [
      ("d2p_prompts_train.jsonl", rows(people.map { ("Known as \($0.1),", " \($0.0) is old.") })),
      ("d2p_prompts_test.jsonl", rows(people.map { ("In the world of \($0.1),", " \($0.0)") })),
      ("d2p_reverse_prompts_test.jsonl", rows(people.map { ("\($0.0) was", " \($0.1).") })),
      ("p2d_prompts_train.jsonl", rows(others.map { ("\($0.0), known for being", " \($0.1).") })),
      (
        "p2d_reverse_prompts_test.jsonl",
        rows(others.map { ("Known as \($0.1), was", " \($0.0)") })
      ),
    ]
  }()
}

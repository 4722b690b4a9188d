import ArgumentParser
import Foundation
import Invocation
import Llama
import LoRA
import Operations
import Storage
import Text
import Weights

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continue a text.",
    discussion: """
      Writes the continuation as it comes. Greedy unless --temperature says otherwise. Ends at the \
      ids that end a text or a turn, at --stop, and where the responses ended that the adapter was \
      trained on, if they all ended with a line feed.

      Example: imprint generate --model smollm2.imprint --prompt "The capital of France is"
      """)

  @OptionGroup var config: ConfigOptions

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "A run folder, or a PEFT or GGUF adapter.")
  var adapter: String?

  @Option(help: "The text to continue ('-' for standard input).")
  var prompt: String

  @Option(help: "The most new tokens.")
  var maxTokens = 64

  @Option(name: [.customLong("temp"), .customLong("temperature")], help: "0 is greedy.")
  var temperature = 0.0

  @Option(help: "Draw only from the likeliest ids whose probabilities sum to this.")
  var topP = 1.0

  @Option(help: "Decides the draws.")
  var seed: UInt64 = 0

  @Option(
    parsing: .singleValue,
    help: "End at this text, which is not written; may be given several times.")
  var stop: [String] = []

  @Flag(help: "Go on at ids that end a text, and where the adapter's responses ended.")
  var ignoreEos = false

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Print one JSON object when the text is complete.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  func validate() throws {
    try requireCounts(("--max-tokens", maxTokens))
    if !(temperature >= 0 && temperature.isFinite) {
      throw ValidationError("--temp must not be negative.")
    }
    if !(topP > 0 && topP <= 1) { throw ValidationError("--top-p must be above 0 and at most 1.") }
    if stop.contains("") { throw ValidationError("--stop must not be empty.") }
  }

  struct Result: Encodable {
    var prompt: String
    var text: String
    var tokens: Int
    /// `stop`, or `length` after --max-tokens.
    var finishReason: String

    enum CodingKeys: String, CodingKey {
      case prompt, text, tokens
      case finishReason = "finish_reason"
    }
  }

  private func promptText() throws -> String {
    guard prompt == "-" else { return prompt }
    let data = try FileHandle.standardInput.readToEnd() ?? Foundation.Data()
    guard let text = String(validating: data, as: UTF8.self) else {
      throw Problem("standard input: is not UTF-8 text")
    }
    return text
  }

  /// Where what is said ends.
  private func ends(_ session: Session) throws -> (ids: Set<Int32>, texts: [String]) {
    let end = try adapter.flatMap { try GenerationEnd(folder: $0) }
    if ignoreEos { return ([], stop) }
    return (session.endIds.union(end?.endIds ?? []), stop + (end?.stopStrings ?? []))
  }

  func run() throws {
    try reportingErrors {
      let session = try Session(model: model, threads: threads.count)
      guard let tokenizer = session.tokenizer else { throw Problem("\(model): has no tokenizer") }
      let prompt = try promptText()
      let ids = tokenizer.encode(prompt, addSpecialTokens: true)
      let length = ids.count + maxTokens
      guard !ids.isEmpty else { throw Problem("--prompt: holds no token") }
      guard length <= session.architecture.maxPositionEmbeddings else {
        throw Problem(
          "--prompt and --max-tokens: \(length) tokens, the model has \(session.architecture.maxPositionEmbeddings) positions"
        )
      }
      let tensors: AdapterTensors<Float>? = try adapter.map {
        try AdapterFile.tensors($0, session.architecture)
      }
      let end = try ends(session)
      verbosity.note(session.file.summary)
      if let adapter, let tensors {
        verbosity.note("adapter: \(adapter), \(tensors.layout.summary)")
      }
      verbosity.note(
        "prompt: \(ids.count) tokens; ends at ids \(end.ids.sorted()), texts \(end.texts)")
      var writer = StreamWriter(tokenizer: tokenizer, stops: end.texts, silent: json)
      let result = try session.weights.generate(
        ids, adapter: tensors, maximum: maxTokens,
        sampling: Sampling(temperature: temperature, topP: topP, seed: seed), stops: end.ids,
        workers: session.workers
      ) { writer.append($0) }
      let text = writer.finish()
      if json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let isStopped = writer.isStopped || result.count < maxTokens
        let object = Result(
          prompt: prompt, text: text, tokens: result.count,
          finishReason: isStopped ? "stop" : "length")
        print(String(decoding: try encoder.encode(object), as: UTF8.self))
      }
    }
  }
}

/// Writes text as its tokens come: whole characters only, and nothing of what may be a stop.
private struct StreamWriter {
  let tokenizer: Tokenizer
  let stops: [[UInt8]]
  let silent: Bool
  private var bytes: [UInt8] = []
  private var written = 0
  private(set) var isStopped = false

  init(tokenizer: Tokenizer, stops: [String], silent: Bool) {
    self.tokenizer = tokenizer
    self.stops = stops.map { Array($0.utf8) }
    self.silent = silent
  }

  /// Takes an id. Returns whether to go on.
  mutating func append(_ id: Int32) -> Bool {
    bytes += tokenizer.bytes(of: id, skipSpecialTokens: true)
    if let start = stops.compactMap({ bytes.firstRange(of: $0)?.lowerBound }).min() {
      bytes.removeLast(bytes.count - start)
      isStopped = true
    }
    write(upTo: isStopped ? bytes.count : safeEnd)
    return !isStopped
  }

  /// Before an unfinished character, and before what may be a stop's start.
  private var safeEnd: Int {
    var end = bytes.count
    var back = 1
    while back <= 4, back <= end {
      let byte = bytes[end - back]
      if byte & 0xc0 == 0xc0 {
        let length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
        if back < length { end -= back }
        break
      }
      if byte < 0x80 { break }
      back += 1
    }
    return max(written, end - max(0, (stops.map(\.count).max() ?? 0) - 1))
  }

  private mutating func write(upTo end: Int) {
    guard end > written else { return }
    if !silent {
      FileHandle.standardOutput.write(Foundation.Data(bytes[written..<end]))
    }
    written = end
  }

  /// Writes the rest. Returns the whole text.
  mutating func finish() -> String {
    write(upTo: bytes.count)
    if !silent { FileHandle.standardOutput.write(Foundation.Data("\n".utf8)) }
    return String(decoding: bytes, as: UTF8.self)
  }
}

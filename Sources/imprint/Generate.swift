import ArgumentParser
import Foundation
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
      Writes the continuation as it comes. Greedy unless --temperature says otherwise.

      Example: imprint generate --model smollm2.imprint --prompt "The capital of France is"
      """)

  @OptionGroup var config: ConfigOptions

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "A run folder or a PEFT adapter.")
  var adapter: String?

  @Option(help: "The text to continue.")
  var prompt: String

  @Option(help: "The most new tokens.")
  var maxTokens = 64

  @Option(name: [.customLong("temp"), .customLong("temperature")], help: "0 is greedy.")
  var temperature = 0.0

  @Option(help: "Draw only from the likeliest ids whose probabilities sum to this.")
  var topP = 1.0

  @Option(help: "Decides the draws.")
  var seed: UInt64 = 0

  @Option(help: "End at this text, which is not written.")
  var stop: String?

  @Option(help: "Threads (default: all processors).")
  var threads: Int?

  @Flag(help: "Print one JSON object when the text is complete.")
  var json = false

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens must be positive.") }
    if !(temperature >= 0 && temperature.isFinite) {
      throw ValidationError("--temp must not be negative.")
    }
    if !(topP > 0 && topP <= 1) { throw ValidationError("--top-p must be above 0 and at most 1.") }
    if stop?.isEmpty == true { throw ValidationError("--stop must not be empty.") }
  }

  struct Result: Encodable {
    var prompt: String
    var text: String
    var tokens: Int
  }

  func run() throws {
    try reportingErrors {
      let session = try Session(model: model, threads: threads)
      guard let tokenizer = session.tokenizer else { throw Problem("\(model): has no tokenizer") }
      let ids = tokenizer.encode(prompt, addSpecialTokens: true)
      let length = ids.count + maxTokens
      guard !ids.isEmpty else { throw Problem("--prompt: holds no token") }
      guard length <= session.architecture.maxPositionEmbeddings else {
        throw Problem(
          "--prompt and --max-tokens: \(length) tokens, the model has \(session.architecture.maxPositionEmbeddings) positions"
        )
      }
      let arena = Arena()
      let tensors = try adapter.map { try session.adapter($0, arena: arena) }
      let engine = LlamaEngine(
        weights: session.weights, workers: session.workers,
        limits: EngineLimits(
          rows: ids.count, tangentRows: 0, sequence: length,
          updateRank: tensors?.layout.maxRank ?? 0, adapterRank: 0, logitRows: 1),
        arena: arena)
      let sweep = Sweep(
        engine: engine, capacity: ids.count, hasTangents: false, policy: .lean, arena: arena)
      let cache = KeyValueCache<Float>(
        architecture: session.architecture, sequences: 1, capacity: length, arena: arena)
      var writer = StreamWriter(tokenizer: tokenizer, stop: stop, silent: json)
      let result = try sweep.generate(
        [ids], maximum: maxTokens, stops: Set(session.architecture.eosTokenIds.map { Int32($0) }),
        sampling: Sampling(temperature: temperature, topP: topP, seed: seed), cache: cache
      ) { rows in
        var change = ParameterChange<Float>(layers: session.architecture.numHiddenLayers)
        if let tensors { change.add(tensors, rows: 0..<rows) }
        return change
      } emit: { _, id in
        writer.append(id)
      }
      let text = writer.finish()
      if json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let object = Result(prompt: prompt, text: text, tokens: result[0].count)
        print(String(decoding: try encoder.encode(object), as: UTF8.self))
      }
    }
  }
}

/// Writes text as its tokens come: whole characters only, and nothing of what may be the stop.
private struct StreamWriter {
  let tokenizer: Tokenizer
  let stop: [UInt8]
  let silent: Bool
  private var bytes: [UInt8] = []
  private var written = 0
  private var isStopped = false

  init(tokenizer: Tokenizer, stop: String?, silent: Bool) {
    self.tokenizer = tokenizer
    self.stop = Array((stop ?? "").utf8)
    self.silent = silent
  }

  /// Takes an id. Returns whether to go on.
  mutating func append(_ id: Int32) -> Bool {
    bytes += tokenizer.bytes(of: id, skipSpecialTokens: true)
    if !stop.isEmpty, let start = bytes.firstRange(of: stop)?.lowerBound {
      bytes.removeLast(bytes.count - start)
      isStopped = true
    }
    write(upTo: isStopped ? bytes.count : safeEnd)
    return !isStopped
  }

  /// Before an unfinished character, and before a start of the stop.
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
    return max(written, end - max(0, stop.count - 1))
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

extension Session {
  /// The adapter in a run folder or a PEFT folder.
  func adapter(_ path: String, arena: Arena) throws -> AdapterTensors<Float> {
    let source = try AdapterFile(path: path)
    let layout = AdapterLayout(source.configuration, architecture: architecture)
    let tensors = AdapterTensors<Float>(layout: layout, arena: arena, for: .adapter)
    try source.read(into: tensors)
    return tensors
  }
}

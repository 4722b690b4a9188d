import ArgumentParser
import Invocation
import Llama
import LoRA
import MetaLearning
import Weights

/// Flags of the adapter that a run trains.
struct AdapterOptions: ParsableArguments {
  @Option(help: "Start from this adapter: a run folder or a PEFT adapter; its shape is taken over.")
  var adapter: String?

  @Option(help: "Rank of the adapter (default: 8).")
  var rank: Int?

  @Option(
    name: [.long, .customLong("lora-alpha")],
    help: "The adapter is scaled by alpha / rank (default: 16).")
  var alpha: Double?

  @Option(
    parsing: .upToNextOption,
    help:
      "Linears that carry an adapter: q_proj k_proj v_proj o_proj gate_proj up_proj down_proj (default: all)."
  )
  var targetModules: [String] = []

  @Flag(help: "Scale by alpha / √rank (rank-stabilised LoRA).")
  var rslora = false

  @Option(
    help:
      "Other ranks for some linears, keys as PEFT matches them: layers.0.self_attn.q_proj=16,down_proj=4."
  )
  var rankPattern: PatternArgument<Int>?

  @Option(help: "Other alphas for some linears, likewise.")
  var alphaPattern: PatternArgument<Double>?

  @Option(help: "Share of the inputs of A to leave out; for imprint finetune only (default: 0).")
  var loraDropout: Double?

  func validate() throws {
    if let rank, !(1...4096).contains(rank) {
      throw ValidationError("--rank must be 1 to 4096.")
    }
    try requirePositive("--alpha", alpha)
    for name in targetModules where !LinearKind.allCases.contains(where: { $0.moduleName == name })
    {
      let known = LinearKind.allCases.map(\.moduleName).joined(separator: " ")
      throw ValidationError("--target-modules: '\(name)' is none of \(known).")
    }
    for (key, value) in rankPattern?.pairs ?? [] where !(1...4096).contains(value) {
      throw ValidationError("--rank-pattern: '\(key)' must be 1 to 4096.")
    }
    for (key, value) in alphaPattern?.pairs ?? [] where !(value > 0 && value.isFinite) {
      throw ValidationError("--alpha-pattern: '\(key)' must be positive.")
    }
    if let loraDropout, !(loraDropout >= 0 && loraDropout < 1) {
      throw ValidationError("--lora-dropout must be 0 or more and less than 1.")
    }
  }

  /// The first flag that was given.
  var given: String? {
    [
      ("--adapter", adapter != nil), ("--rank", rank != nil), ("--alpha", alpha != nil),
      ("--target-modules", !targetModules.isEmpty), ("--rslora", rslora),
      ("--rank-pattern", rankPattern != nil), ("--alpha-pattern", alphaPattern != nil),
      ("--lora-dropout", loraDropout != nil),
    ].first(where: \.1)?.0
  }

  /// The adapter to start from, where there is one.
  func source() throws -> AdapterFile? { try adapter.map { try AdapterFile(path: $0) } }

  /// Where training starts, with what ``source()`` has read.
  func start(_ source: AdapterFile?) -> AdapterStart? {
    source.flatMap { file in adapter.map { AdapterStart(path: $0, file: file) } }
  }

  /// What the flags say for a model of `architecture`; with an adapter to start from, its
  /// configuration, which the flags must not contradict.
  func configuration(
    _ architecture: Architecture, from source: AdapterFile?
  ) throws -> AdapterConfiguration {
    let start = source?.configuration ?? AdapterConfiguration()
    var result = start
    if let rank { result.rank = rank }
    if let alpha { result.alpha = alpha }
    if !targetModules.isEmpty {
      result.targetModules = LinearKind.allCases.filter { targetModules.contains($0.moduleName) }
    }
    if rslora { result.useRSLoRA = true }
    if let loraDropout { result.dropout = loraDropout }
    if let rankPattern {
      result.rankPattern = try rankPattern.pattern("--rank-pattern", result, architecture)
    }
    if let alphaPattern {
      result.alphaPattern = try alphaPattern.pattern("--alpha-pattern", result, architecture)
    }
    if source != nil { try compare(result, with: start, architecture) }
    return result
  }

  /// Refuses the first flag that says something else than the adapter to start from.
  private func compare(
    _ given: AdapterConfiguration, with start: AdapterConfiguration, _ architecture: Architecture
  ) throws {
    func names(_ kinds: [LinearKind]) -> String { kinds.map(\.moduleName).joined(separator: " ") }
    let path = adapter ?? ""
    if given.rank != start.rank {
      throw Problem("--rank \(given.rank): the adapter of \(path) has rank \(start.rank)")
    }
    if given.alpha != start.alpha {
      throw Problem("--alpha \(given.alpha): the adapter of \(path) has alpha \(start.alpha)")
    }
    if Set(given.targetModules) != Set(start.targetModules) {
      throw Problem(
        "--target-modules: the adapter of \(path) is on \(names(start.targetModules))")
    }
    if given.useRSLoRA != start.useRSLoRA {
      throw Problem("--rslora: the adapter of \(path) is scaled by alpha / rank")
    }
    let entries = AdapterLayout(given, architecture: architecture).entries
    for (a, b) in zip(entries, AdapterLayout(start, architecture: architecture).entries) {
      if a.rank != b.rank {
        throw Problem("--rank-pattern: \(a.downName) of \(path) has rank \(b.rank)")
      }
      if a.scale != b.scale {
        throw Problem("--alpha-pattern: \(a.downName) of \(path) is scaled by \(b.scale)")
      }
    }
  }
}

/// `KEY=NUMBER,KEY=NUMBER`. A key may hold commas, as regular expressions do.
struct PatternArgument<Value: LosslessStringConvertible & Equatable & Sendable>:
  ExpressibleByArgument, Sendable
{
  let pairs: [(key: String, value: Value)]

  init?(argument: String) {
    var pairs: [(key: String, value: Value)] = []
    var open = ""
    for piece in argument.split(separator: ",", omittingEmptySubsequences: false) {
      open += piece
      guard let equals = open.lastIndex(of: "=") else {
        open += ","
        continue
      }
      guard let value = Value(String(open[open.index(after: equals)...])), equals > open.startIndex
      else { return nil }
      pairs.append((String(open[..<equals]), value))
      open = ""
    }
    if !open.isEmpty { return nil }
    self.pairs = pairs
  }

  /// The pattern for an adapter; refused as the library refuses it, with the flag's name.
  func pattern(
    _ flag: String, _ adapter: AdapterConfiguration, _ architecture: Architecture
  ) throws -> [String: Value] {
    do {
      return try AdapterConfiguration.pattern(
        pairs, modules: adapter.targetModules, layers: architecture.numHiddenLayers)
    } catch {
      throw Problem("\(flag): \(error)")
    }
  }
}

/// What a training starts from in place of a new adapter.
struct AdapterStart {
  let path: String
  let file: AdapterFile
  /// The run whose learned inner rates are gone on from, and where they started there.
  var rates: (run: RunFolder, start: Double)?
}

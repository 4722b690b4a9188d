import Foundation
import Invocation
import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import Text
import Weights

/// A model that is open, and what reading data for it needs.
struct Session {
  let file: WeightFile
  let weights: LlamaWeights<Float>
  let tokenizer: Tokenizer?
  let workers: Workers

  var architecture: Architecture { file.architecture }

  /// Ids that end what the model says: those of its metadata and of its tokenizer.
  var endIds: Set<Int32> {
    (tokenizer?.endIds ?? []).union(architecture.eosTokenIds.map { Int32($0) })
  }

  init(model: String, threads: Int?) throws {
    file = try WeightFile(path: model)
    weights = try LlamaWeights(file: file)
    tokenizer = try file.tokenizerData().map { try Tokenizer(serialized: $0) }
    workers = Workers(count: threads)
  }

  /// The tasks of a file in groups of `size` contexts, up to `queries` tasks for each; tasks longer
  /// than the model's positions are refused, and unless `quiet` a note says how many fill no group.
  func groups(
    _ path: String, size: Int, queries: Int = 1, separator: String, limit: Int?, quiet: Bool
  ) throws -> [TaskGroup] {
    let tasks = try TaskFile.read(
      path, tokenizer: tokenizer, vocabularySize: architecture.vocabSize, separator: separator,
      limit: limit)
    for (index, task) in tasks.enumerated() {
      let length =
        task.context.count + task.separator.count + task.query.count + task.response.count
      guard length <= architecture.maxPositionEmbeddings else {
        throw Problem(
          "\(path): task \(index + 1) has \(length) tokens, the model has \(architecture.maxPositionEmbeddings) positions"
        )
      }
    }
    let groups = tasks.enumerated().map { TaskGroup.Triplet($1, number: $0 + 1) }
      .grouped(contexts: size, queries: queries)
    guard !groups.isEmpty else {
      let shared = queries == 1 ? "" : ", up to \(queries) to a context,"
      throw Problem("\(path): \(tasks.count) tasks\(shared) do not make a group of \(size)")
    }
    let left = tasks.count - groups.reduce(0) { $0 + $1.triplets.count }
    if left > 0, !quiet {
      note("\(path): left out \(left) of \(tasks.count) tasks: they fill no group of \(size)")
    }
    return groups
  }

  /// Pieces of plain text; unless `quiet` a note says how many are too short.
  func texts(_ path: String, length: Int, limit: Int?, quiet: Bool) throws -> [[Int32]] {
    guard let tokenizer else { throw Problem("\(path): the model has no tokenizer") }
    return try PlainText.read(path, tokenizer: tokenizer, length: length, limit: limit) { left in
      if left > 0, !quiet {
        note("\(path): left out \(left) pieces of fewer than \(PlainText.shortest) tokens")
      }
    }
  }
}

/// A digest of tasks and texts in token ids.
func fingerprint(_ groups: [TaskGroup], _ texts: [[Int32]] = []) -> Digest {
  var digest = Digest()
  for triplet in groups.flatMap(\.triplets) {
    for part in [
      triplet.context, triplet.start + triplet.query, triplet.response, triplet.separator,
    ] {
      digest.update(part)
    }
  }
  for text in texts { digest.update(text) }
  return digest
}

private import Foundation
import Operations
import Storage
public import Weights

/// How the next token is chosen.
public struct Sampling: Equatable, Sendable {
  /// 0: the likeliest. Otherwise logits are divided by it.
  public var temperature: Double
  /// Only the likeliest ids whose probabilities sum to this are drawn from.
  public var topP: Double
  /// Decides the draws.
  public var seed: UInt64

  /// Greedy unless said otherwise.
  public init(temperature: Double = 0, topP: Double = 1, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topP = topP
    self.seed = seed
  }

  /// The likeliest id of a row of logits, the first where there are several.
  static func likeliest<S: Kernel>(_ logits: Matrix<S>) -> Int32 {
    let values = UnsafeBufferPointer(start: logits.pointer, count: logits.columns)
    var best = 0
    for index in values.indices where values[index] > values[best] { best = index }
    return Int32(best)
  }

  /// Picks an id from a row of logits.
  func pick<S: Kernel>(_ logits: Matrix<S>, _ random: inout SplitMix64) -> Int32 {
    let best = Self.likeliest(logits)
    guard temperature > 0 else { return best }
    let values = UnsafeBufferPointer(start: logits.pointer, count: logits.columns)
    let top = Double(values[Int(best)])
    var candidates = values.indices.map {
      (id: $0, weight: exp((Double(values[$0]) - top) / temperature))
    }
    if topP < 1 {
      candidates.sort { $0.weight > $1.weight }
      let total = candidates.reduce(0) { $0 + $1.weight }
      var sum = 0.0
      let count = candidates.firstIndex {
        sum += $0.weight
        return sum >= topP * total
      }
      candidates.removeLast(candidates.count - 1 - (count ?? candidates.count - 1))
    }
    var left = random.uniform() * candidates.reduce(0) { $0 + $1.weight }
    for candidate in candidates {
      left -= candidate.weight
      if left <= 0 { return Int32(candidate.id) }
    }
    return Int32(candidates[candidates.count - 1].id)
  }
}

extension Sweep {
  /// Continues `prompts` together, a token at a time, with a key-value cache.
  ///
  /// `parameters` gives the change of the parameters for a number of rows, all of which see it.
  /// A sequence ends at an id of `stops` (which is not part of the result), where `emit` returns
  /// false, or after `maximum` tokens. `emit` is called with the sequence and each new id.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func generate(
    _ prompts: [[Int32]], maximum: Int, stops: Set<Int32>, sampling: Sampling = Sampling(),
    cache: KeyValueCache<S>, parameters: (_ rows: Int) -> ParameterChange<S>,
    emit: (_ sequence: Int, _ id: Int32) -> Bool = { _, _ in true }
  ) throws(WeightError) -> [[Int32]] {
    precondition(prompts.count <= cache.lengths.count && prompts.allSatisfy { !$0.isEmpty })
    cache.reset()
    var random = SplitMix64(seed: sampling.seed)
    var results = prompts.map { _ in [Int32]() }
    let pending = prompts.enumerated().map { (sequence: $0.offset, ids: $0.element) }
    try decode(pending, cache: cache, parameters: { parameters($0.count) }) { sequence, logits in
      let id = sampling.pick(logits, &random)
      if stops.contains(id) { return nil }
      results[sequence].append(id)
      return emit(sequence, id) && results[sequence].count < maximum ? id : nil
    }
    return results
  }

  /// Gives each sequence of `pending` its new tokens and asks `take` for the next one, with the
  /// logits, (1, V), that follow the last of them; goes on until `take` has none or the cache is full.
  func decode(
    _ pending: [(sequence: Int, ids: [Int32])], cache: KeyValueCache<S>,
    parameters: (TokenBatch) -> ParameterChange<S>,
    take: (_ sequence: Int, _ logits: Matrix<S>) -> Int32?
  ) throws(WeightError) {
    var pending = pending
    while !pending.isEmpty {
      var batch = TokenBatch()
      for (sequence, ids) in pending {
        batch.append(continuing: ids, at: cache.lengths[sequence], sequence: sequence)
      }
      begin(batch, parameters: parameters(batch))
      try forward(in: cache)
      for (sequence, ids) in pending { cache.advance(sequence, by: ids.count) }
      var next: [(sequence: Int, ids: [Int32])] = []
      for chunk in chunks {
        let parts = HeadLanes(engine.head, chunk: chunk, tangents: false)
        try headForward(chunk, lanes: .primal, parts: parts)
        for row in 0..<chunk.count {
          let sequence = pending[chunk.lowerBound + row].sequence
          let logits = parts.logits.primal.rows(row..<row + 1)
          if let id = take(sequence, logits), cache.hasRoom(sequence) {
            next.append((sequence, [id]))
          }
        }
      }
      pending = next
    }
  }

  /// Puts the keys and values of new tokens behind those that their sequences have had.
  func store(_ layer: Int, _ activations: BlockActivations<S>, in cache: KeyValueCache<S>) {
    for (segment, sequences) in zip(batch.segments, batch.sequences) {
      for sequence in sequences {
        cache.store(
          layer: layer, sequence: sequence, at: Int(batch.positions[segment.lowerBound]),
          keys: activations.key.rows(segment), values: activations.value.rows(segment))
      }
    }
  }
}

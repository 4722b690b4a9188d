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

  /// Picks an id from a row of logits.
  func pick<S: Kernel>(_ logits: Matrix<S>, _ random: inout SplitMix64) -> Int32 {
    let values = UnsafeBufferPointer(start: logits.pointer, count: logits.columns)
    var best = 0
    for index in values.indices where values[index] > values[best] { best = index }
    guard temperature > 0 else { return Int32(best) }
    let top = Double(values[best])
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
    self.cache = cache
    defer { self.cache = nil }
    var random = SplitMix64(seed: sampling.seed)
    var results = prompts.map { _ in [Int32]() }
    var pending = prompts
    var active = Array(prompts.indices)
    while !active.isEmpty {
      var batch = TokenBatch()
      for sequence in active {
        batch.append(
          continuing: pending[sequence], at: cache.lengths[sequence], sequence: sequence)
      }
      begin(batch, parameters: parameters(batch.count))
      try forward()
      for sequence in active { cache.advance(sequence, by: pending[sequence].count) }
      var next: [Int] = []
      var place = 0
      for chunk in chunks {
        let parts = HeadLanes(engine.head, chunk: chunk, tangents: false)
        try headForward(chunk, lanes: .primal, parts: parts)
        for row in 0..<chunk.count {
          let sequence = active[place]
          place += 1
          let id = sampling.pick(parts.logits.primal.rows(row..<row + 1), &random)
          if stops.contains(id) { continue }
          results[sequence].append(id)
          pending[sequence] = [id]
          if emit(sequence, id), results[sequence].count < maximum,
            cache.lengths[sequence] < cache.capacity
          {
            next.append(sequence)
          }
        }
      }
      active = next
    }
    return results
  }

  /// Attention of new tokens over what their sequences have had before and themselves.
  func cachedAttention(_ layer: Int, _ activations: BlockActivations<S>, cache: KeyValueCache<S>) {
    let shape = engine.attentionShape
    let pairs = zip(batch.segments, batch.sequences).map { ($0, $1) }
    for (segment, sequence) in pairs {
      cache.store(
        layer: layer, sequence: sequence, keys: activations.key.rows(segment),
        values: activations.value.rows(segment))
    }
    workers.run { worker in
      let scratch = engine.attentionScratch[worker]
      var item = 0
      for (segment, sequence) in pairs {
        for row in segment {
          item += 1
          if item % workers.count != worker { continue }
          let count = cache.lengths[sequence] + row - segment.lowerBound + 1
          let (keys, values) = cache.read(layer: layer, sequence: sequence, count: count)
          for head in 0..<shape.heads {
            Attention.decode(
              head: head, shape: shape, q: activations.query.rows(row..<row + 1), keys: keys,
              values: values, o: activations.attended.rows(row..<row + 1), scratch: scratch)
          }
        }
      }
    }
  }
}

import Foundation
public import Llama
public import Operations
public import Storage
public import Weights

/// The frozen base as teacher: what it answers with the context in its prompt.
///
/// Zhang et al. 2025, §3.2: â is the greedy continuation of c ⊕ q by the base without the adapter.
public enum Teacher {
  /// Replaces the responses of `groups` by the teacher's, which end as `end` says.
  ///
  /// As many are decoded together as `budget` bytes have room for; a context that several tasks have
  /// is read once for them, and decoding goes on behind what the given response has in common with
  /// the teacher's. Where the teacher says nothing before the end, the given response stays. `progress` is
  /// called with tasks done, of all. Throws ``WeightError`` where a base weight cannot be read.
  public static func respond<S: Kernel>(
    _ groups: [TaskGroup], weights: LlamaWeights<S>, workers: Workers, end: AnswerEnd, budget: Int,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(WeightError) -> [TaskGroup] {
    var triplets = groups.flatMap(\.triplets)
    let order = Array(triplets.indices).joined(by: { triplets[$0].context }).flatMap(\.self)
    let asked = order.map { place in
      var triplet = triplets[place]
      triplet.response = Array(triplet.response.prefix(end.maximum))
      return triplet
    }
    // What so many tasks at a time need, the most that fit or one.
    func reading(_ count: Int, _ arena: Arena) -> Reading<S> {
      Reading(
        asked.cut(into: count), maximum: end.maximum, weights: weights, workers: workers,
        arena: arena)
    }
    let counts = [256, 128, 64, 32, 16, 8, 4, 2]
    let together = counts.first { reading($0, Arena(plansOnly: true)).bytes <= budget } ?? 1
    let reading = reading(together, Arena())
    let base = ParameterChange<S>(layers: weights.architecture.numHiddenLayers)
    var done = 0
    for part in reading.parts {
      let answers = try reading.sweep.answer(
        [part.map { $0.question(prompted: true) }], end: end, cache: reading.cache,
        parameters: { _ in base })[0]
      for (place, answer) in zip(order[done...], answers)
      where !answer.greedy.allSatisfy(end.closing.contains) {
        triplets[place].response = answer.greedy
      }
      done += part.count
      progress(done, triplets.count)
    }
    return regrouped(triplets, like: groups)
  }

  /// Tasks that are answered some at a time, with the buffers for any of these parts.
  private struct Reading<S: Kernel> {
    let parts: [[TaskGroup.Triplet]]
    let sweep: Sweep<S>
    let cache: KeyValueCache<S>
    /// What the buffers take.
    let bytes: Int

    init(
      _ parts: [[TaskGroup.Triplet]], maximum: Int, weights: LlamaWeights<S>, workers: Workers,
      arena: Arena
    ) {
      self.parts = parts
      let rows = parts.map { TaskGroup($0).promptedRows(.allSharing) }.max() ?? 1
      let tokens = parts.map { part in
        part.map { $0.question(prompted: true).cachedTokens(maximum: maximum) }
      }
      let engine = LlamaEngine(
        weights: weights, workers: workers,
        limits: EngineLimits(
          rows: rows, tangentRows: 0, sequence: tokens.joined().max() ?? 1, updateRank: 0,
          adapterRank: 0, logitRows: min(rows, 32)),
        arena: arena)
      sweep = Sweep(
        engine: engine, capacity: rows, hasTangents: false, policy: .lean, arena: arena)
      cache = KeyValueCache(
        architecture: weights.architecture, tokens: tokens.map { $0.reduce(0, +) }.max() ?? 0,
        arena: arena)
      bytes = arena.bytes
    }
  }

  static func regrouped(
    _ triplets: [TaskGroup.Triplet], like groups: [TaskGroup]
  ) -> [TaskGroup] {
    var next = 0
    return groups.map { group in
      defer { next += group.triplets.count }
      return TaskGroup(Array(triplets[next..<next + group.triplets.count]))
    }
  }
}

/// A teacher's responses on disk, so that they are decoded once for a model and its tasks.
public struct TeacherCache: Sendable {
  private struct Content: Codable {
    var key: String
    var responses: [[Int32]]
  }

  /// The file.
  public let path: String
  private let key: String

  /// The cache at `path` of the model, tasks and settings that `key` stands for.
  public init(path: String, key: String) {
    self.path = path
    self.key = key
  }

  /// `groups` with the responses of the cache, or nil where it is missing, damaged, of something else
  /// or has ids outside a vocabulary of `vocabularySize`.
  public func read(_ groups: [TaskGroup], vocabularySize: Int) -> [TaskGroup]? {
    guard let data = MappedFile.contents(path),
      let content = try? JSONDecoder().decode(Content.self, from: Data(data)), content.key == key
    else { return nil }
    var triplets = groups.flatMap(\.triplets)
    guard content.responses.count == triplets.count,
      content.responses.allSatisfy({ response in
        !response.isEmpty && response.allSatisfy { $0 >= 0 && Int($0) < vocabularySize }
      })
    else { return nil }
    for (index, response) in content.responses.enumerated() { triplets[index].response = response }
    return Teacher.regrouped(triplets, like: groups)
  }

  /// Writes the responses of `groups`, in one piece or not at all.
  public func write(_ groups: [TaskGroup]) throws(WeightError) {
    let content = Content(key: key, responses: groups.flatMap(\.triplets).map(\.response))
    do {
      let file = try AtomicFile(path: path)
      try file.append([UInt8](try JSONEncoder().encode(content)))
      try file.commit()
    } catch let error as FileError {
      throw WeightError(path: path, error.problem)
    } catch {
      throw WeightError(path: path, "cannot be written as JSON")
    }
  }
}

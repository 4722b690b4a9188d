import Foundation
public import Llama
public import Operations
public import Storage
public import Weights

/// The frozen base as teacher: what it answers with the context in its prompt.
///
/// Zhang et al. 2025, §3.2: â is the greedy continuation of c ⊕ q by the base without the adapter.
public enum Teacher {
  /// Replaces the responses of `groups` by the teacher's, decoded `together` at a time.
  ///
  /// A response ends before an id of `stops` and has at most `maximum` tokens; where the teacher
  /// says nothing at all, the given response stays. `progress` is called with tasks done, of all.
  /// Throws ``WeightError`` where a base weight cannot be read.
  public static func respond<S: Kernel>(
    _ groups: [TaskGroup], weights: LlamaWeights<S>, workers: Workers, maximum: Int,
    stops: Set<Int32>, together: Int, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(WeightError) -> [TaskGroup] {
    var triplets = groups.flatMap(\.triplets)
    let prompts = triplets.map { $0.context + $0.separator + $0.query }
    let longest = prompts.map(\.count).max() ?? 1
    let size = min(together, prompts.count)
    let rows = prompts.map(\.count).sorted(by: >).prefix(size).reduce(0, +)
    let arena = Arena()
    let engine = LlamaEngine(
      weights: weights, workers: workers,
      limits: EngineLimits(
        rows: rows, tangentRows: 0, sequence: longest + maximum, updateRank: 0, adapterRank: 0,
        logitRows: min(size, 16)),
      arena: arena)
    let sweep = Sweep(
      engine: engine, capacity: rows, hasTangents: false, policy: .lean, arena: arena)
    let cache = KeyValueCache<S>(
      architecture: weights.architecture, sequences: size, capacity: longest + maximum,
      arena: arena)
    let base = ParameterChange<S>(layers: weights.architecture.numHiddenLayers)
    for start in stride(from: 0, to: prompts.count, by: size) {
      let part = Array(prompts[start..<min(start + size, prompts.count)])
      let responses = try sweep.generate(
        part, maximum: maximum, stops: stops, cache: cache, parameters: { _ in base })
      for (index, response) in responses.enumerated() where !response.isEmpty {
        triplets[start + index].response = response
      }
      progress(start + part.count, prompts.count)
    }
    return regrouped(triplets, like: groups)
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

import Llama
import Operations

/// A batch of several adapted models' sequences, and which rows belong to which.
struct GroupedBatch: Sendable {
  var batch = TokenBatch()
  var groups: [(rows: Range<Int>, scored: Range<Int>)] = []

  private init(_ tasks: [TaskGroup], _ add: (inout TokenBatch, TaskGroup) -> Void) {
    for group in tasks {
      let (rowStart, scoredStart) = (batch.count, batch.lossRows.count)
      add(&batch, group)
      groups.append((rowStart..<batch.count, scoredStart..<batch.lossRows.count))
    }
  }

  /// The contexts, each scored on every token but its first; a group's loss is the mean over its
  /// tasks of their contexts' means, and a context that several tasks have is here once.
  init(contextsOf tasks: [TaskGroup]) {
    self.init(tasks) { batch, group in
      for places in group.contexts {
        let context = group.triplets[places[0]].context
        batch.append(
          context, predicted: context.count - 1,
          weight: Double(places.count) / Double(group.triplets.count))
      }
    }
  }

  /// The queries with their responses, scored on the responses: the mean over a response's tokens
  /// (gold) or the sum of their divergences (teacher), and the mean over a group's queries.
  init(queriesOf tasks: [TaskGroup], target: Target, weight: Double) {
    self.init(tasks) { batch, group in
      for triplet in group.triplets {
        let tokens = target == .gold ? 1 : Double(triplet.response.count)
        batch.append(
          triplet.unprompted, predicted: triplet.response.count,
          weight: weight * tokens / Double(group.triplets.count))
      }
    }
  }

  /// Each group's weighted loss in a sweep that has run this batch.
  func losses<S: Kernel>(_ sweep: Sweep<S>) -> [Double] {
    groups.map { sweep.losses[$0.scored].reduce(0, +) }
  }
}

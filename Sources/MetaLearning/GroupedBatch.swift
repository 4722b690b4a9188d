import Llama
import Operations

/// A batch of several adapted models' sequences, and which rows belong to which.
struct GroupedBatch: Sendable {
  var batch = TokenBatch()
  var groups: [(rows: Range<Int>, scored: Range<Int>)] = []

  private mutating func close(_ rowStart: Int, _ scoredStart: Int) {
    groups.append((rowStart..<batch.count, scoredStart..<batch.lossRows.count))
  }

  private init(_ tasks: [TaskGroup], _ add: (inout TokenBatch, TaskGroup.Triplet, Int) -> Void) {
    for group in tasks {
      let (rowStart, scoredStart) = (batch.count, batch.lossRows.count)
      for triplet in group.triplets { add(&batch, triplet, group.triplets.count) }
      close(rowStart, scoredStart)
    }
  }

  /// The contexts, each scored on every token but its first; a group's loss is the mean over its
  /// tasks of their contexts' means, and a context that several tasks have is here once.
  init(contextsOf tasks: [TaskGroup]) {
    for group in tasks {
      let (rowStart, scoredStart) = (batch.count, batch.lossRows.count)
      for places in group.contexts {
        let context = group.triplets[places[0]].context
        batch.append(
          context, predicted: context.count - 1,
          weight: Double(places.count) / Double(group.triplets.count))
      }
      close(rowStart, scoredStart)
    }
  }

  /// The queries with their responses, scored on the responses: the mean over a response's tokens
  /// (gold) or the sum of their divergences (teacher), and the mean over a group's queries.
  init(queriesOf tasks: [TaskGroup], target: Target, weight: Double) {
    self.init(tasks) { batch, triplet, count in
      let tokens = target == .gold ? 1 : Double(triplet.response.count)
      batch.append(
        triplet.unprompted, predicted: triplet.response.count,
        weight: weight * tokens / Double(count))
    }
  }

  /// The same in Prompt form.
  init(promptsOf tasks: [TaskGroup], weight: Double) {
    self.init(tasks) { batch, triplet, count in
      batch.append(
        triplet.prompted, predicted: triplet.response.count, weight: weight / Double(count))
    }
  }

  /// Each group's weighted loss in a sweep that has run this batch.
  func losses<S: Kernel>(_ sweep: Sweep<S>) -> [Double] {
    groups.map { sweep.losses[$0.scored].reduce(0, +) }
  }
}

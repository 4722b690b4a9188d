import Storage

extension [TaskGroup] {
  /// The places of the groups that have the same contexts, together.
  var placesByContexts: [[Int]] {
    Array<Int>(indices).joined { place in
      let group = self[place]
      return group.contexts.map { group.triplets[$0[0]].context }
    }
  }

  /// For every group another one whose contexts differ from its own, the same for all groups that have
  /// the same contexts; nil where all have.
  ///
  /// The different contexts stand in a circle whose order depends on `seed` alone, and each meets the
  /// next.
  public func withOtherContexts(seed: UInt64) -> [TaskGroup]? {
    var random = SplitMix64(seed: seed ^ 0x6f74_6865_7273)
    let circle = placesByContexts.randomOrder(&random)
    guard circle.count > 1 else { return nil }
    var result = self
    for (own, next) in zip(circle, circle.dropFirst() + circle.prefix(1)) {
      for place in own { result[place] = self[next[0]] }
    }
    return result
  }

  /// The tasks of all groups in random groups of `size`, which depend on `seed` alone; a rest that
  /// does not fill a group is left out.
  public func regrouped(into size: Int, seed: UInt64) -> [TaskGroup] {
    var random = SplitMix64(seed: seed ^ 0x6772_6f75_7073)
    let tasks = flatMap(\.triplets).randomOrder(&random)
    return stride(from: 0, through: tasks.count - size, by: size).map {
      TaskGroup(Array<TaskGroup.Triplet>(tasks[$0..<$0 + size]))
    }
  }
}

extension Array {
  /// The elements in random order (Fisher and Yates), by the stream alone.
  fileprivate func randomOrder(_ random: inout SplitMix64) -> [Element] {
    var result = self
    for last in stride(from: count - 1, to: 0, by: -1) {
      result.swapAt(last, Int(random.next() % UInt64(last + 1)))
    }
    return result
  }
}

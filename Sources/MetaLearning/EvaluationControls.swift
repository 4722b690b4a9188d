import Storage

extension [TaskGroup] {
  /// The places of the groups that have the same contexts, together.
  var placesByContexts: [[Int]] {
    Array<Int>(indices).joined { self[$0].triplets.map(\.context) }
  }

  /// For every group another one whose contexts differ from its own: a random cycle that depends on
  /// `seed` alone; nil where more than half of the groups have the same contexts.
  ///
  /// Groups are laid out by their contexts, in random order, and each takes the group as many places
  /// further on as the most frequent contexts have groups: nobody meets its own.
  public func withOtherContexts(seed: UInt64) -> [TaskGroup]? {
    var random = SplitMix64(seed: seed ^ 0x6f74_6865_7273)
    let classes = placesByContexts
    let largest = classes.map(\.count).max() ?? 0
    guard largest > 0, largest * 2 <= count else { return nil }
    let order = classes.randomOrder(&random).flatMap { $0.randomOrder(&random) }
    var result = self
    for (place, index) in order.enumerated() {
      result[index] = self[order[(place + largest) % count]]
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

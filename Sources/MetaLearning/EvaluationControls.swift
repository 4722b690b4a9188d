import Storage

extension [TaskGroup] {
  /// The places of the groups that have the same contexts, together.
  var placesByContexts: [[Int]] { Array<Int>(indices).joined { self[$0].differentContexts } }

  /// For every group another one that has none of its contexts, the same for all groups that have
  /// the same; nil where there is none for one of them.
  ///
  /// The sets of contexts stand in a circle whose order depends on `seed` alone, and each meets the
  /// next that has none of its own.
  public func withOtherContexts(seed: UInt64) -> [TaskGroup]? {
    var random = SplitMix64(seed: seed ^ 0x6f74_6865_7273)
    let circle = placesByContexts.randomOrder(&random)
    let contexts = circle.map { self[$0[0]].differentContexts }
    var result = self
    for (index, own) in circle.enumerated() {
      let others = (1..<circle.count).lazy.map { (index + $0) % circle.count }
      guard let other = others.first(where: { contexts[$0].isDisjoint(with: contexts[index]) })
      else { return nil }
      for place in own { result[place] = self[circle[other][0]] }
    }
    return result
  }

  /// The tasks of all groups in random groups of `size` different contexts, which depend on `seed`
  /// alone: each task goes to the first group that has room for it and not its context yet. What does
  /// not fill a group is left out.
  public func regrouped(into size: Int, seed: UInt64) -> [TaskGroup] {
    var random = SplitMix64(seed: seed ^ 0x6772_6f75_7073)
    var full: [TaskGroup] = []
    var open: [(triplets: [TaskGroup.Triplet], contexts: Set<[Int32]>)] = []
    for task in flatMap(\.triplets).randomOrder(&random) {
      let place = open.firstIndex { !$0.contexts.contains(task.context) } ?? open.count
      if place == open.count { open.append(([], [])) }
      open[place].triplets.append(task)
      open[place].contexts.insert(task.context)
      if open[place].triplets.count == size {
        full.append(TaskGroup(open.remove(at: place).triplets))
      }
    }
    return full
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

extension TaskGroup {
  fileprivate var differentContexts: Set<[Int32]> { Set(triplets.map(\.context)) }
}

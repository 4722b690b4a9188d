/// Merges neighbouring symbols, the pair of the lowest rank first, the leftmost of equals first.
struct BytePairMerger: Sendable {
  /// Arrays that words after each other use.
  struct Scratch {
    fileprivate var pairs: [UInt32] = []
  }

  /// Words longer than this go through a heap.
  private static let longest = 64
  /// No merge.
  private static let none = UInt32.max

  /// Left, right and merged id by merge; shared with the tables.
  private let merges: [UInt32]
  private let index: HashIndex
  /// The rank of every merge, where some share one; else a merge's rank is its number.
  private let ranks: [UInt32]

  init(_ tables: TokenizerTables) {
    let merges = tables.merges
    var index = HashIndex(count: tables.mergeCount)
    var ranks: [UInt32] = []
    for merge in 0..<tables.mergeCount {
      let (left, right) = (merges[3 * merge], merges[3 * merge + 1])
      index.insert(merge, HashIndex.hash(left, right)) {
        merges[3 * $0] == left && merges[3 * $0 + 1] == right
      }
      if merges[3 * merge + 2] & TokenizerTables.tieBit != 0, merge > 0 {
        if ranks.isEmpty { ranks = (0..<UInt32(tables.mergeCount)).map { $0 } }
        ranks[merge] = ranks[merge - 1]
      }
    }
    self.merges = merges
    self.index = index
    self.ranks = ranks
  }

  /// The merge of two symbols, or ``none``.
  @inline(__always)
  private func merge(_ left: Int32, _ right: Int32) -> UInt32 {
    let (left, right) = (UInt32(bitPattern: left), UInt32(bitPattern: right))
    return index.find(HashIndex.hash(left, right)) {
      merges[3 * $0] == left && merges[3 * $0 + 1] == right
    }.map { UInt32($0) } ?? Self.none
  }

  @inline(__always)
  private func rank(_ merge: UInt32) -> UInt32 {
    ranks.isEmpty || merge == Self.none ? merge : ranks[Int(merge)]
  }

  @inline(__always)
  private func result(_ merge: UInt32) -> Int32 {
    Int32(bitPattern: merges[3 * Int(merge) + 2] & ~TokenizerTables.tieBit)
  }

  /// Merges `symbols` as far as the ranks go.
  func merge(_ symbols: inout [Int32], _ scratch: inout Scratch) {
    if symbols.count < 2 { return }
    if symbols.count > Self.longest { return mergeLong(&symbols) }
    // The merge of each symbol with the next one.
    scratch.pairs.removeAll(keepingCapacity: true)
    for at in 0..<symbols.count - 1 { scratch.pairs.append(merge(symbols[at], symbols[at + 1])) }
    while true {
      var best = Self.none
      var place = -1
      for at in scratch.pairs.indices where rank(scratch.pairs[at]) < best {
        best = rank(scratch.pairs[at])
        place = at
      }
      if place < 0 { return }
      symbols[place] = result(scratch.pairs[place])
      symbols.remove(at: place + 1)
      scratch.pairs.remove(at: place)
      if place < scratch.pairs.count {
        scratch.pairs[place] = merge(symbols[place], symbols[place + 1])
      }
      if place > 0 { scratch.pairs[place - 1] = merge(symbols[place - 1], symbols[place]) }
    }
  }

  /// The same with a heap over a linked list: n log n for words without end.
  ///
  /// The heap holds rank and place; an entry counts while the pair at its place has its rank.
  private func mergeLong(_ symbols: inout [Int32]) {
    let count = symbols.count
    var next = (1...count).map { $0 < count ? Int32($0) : -1 }
    var previous = (0..<count).map { Int32($0) - 1 }
    var pairs = [UInt32](repeating: Self.none, count: count)
    var entries: [UInt64] = []
    for at in 0..<count - 1 {
      pairs[at] = merge(symbols[at], symbols[at + 1])
      if pairs[at] != Self.none { entries.append(UInt64(rank(pairs[at])) << 32 | UInt64(at)) }
    }
    var heap = MinimumHeap(entries)
    entries = []
    while let entry = heap.pop() {
      let at = Int(truncatingIfNeeded: entry & 0xffff_ffff)
      guard pairs[at] != Self.none, rank(pairs[at]) == UInt32(entry >> 32) else { continue }
      let right = Int(next[at])
      symbols[at] = result(pairs[at])
      pairs[right] = Self.none
      pairs[at] = Self.none
      next[at] = next[right]
      if next[at] >= 0 {
        previous[Int(next[at])] = Int32(at)
        pairs[at] = merge(symbols[at], symbols[Int(next[at])])
        if pairs[at] != Self.none { heap.push(UInt64(rank(pairs[at])) << 32 | UInt64(at)) }
      }
      if previous[at] >= 0 {
        let left = Int(previous[at])
        pairs[left] = merge(symbols[left], symbols[at])
        if pairs[left] != Self.none { heap.push(UInt64(rank(pairs[left])) << 32 | UInt64(left)) }
      }
    }
    var kept = 0
    var at = 0
    while at >= 0 {
      symbols[kept] = symbols[at]
      kept += 1
      at = Int(next[at])
    }
    symbols.removeLast(count - kept)
  }
}

/// A binary heap, the least first.
private struct MinimumHeap {
  private var entries: [UInt64]

  /// A heap of `entries`, in linear time.
  init(_ entries: [UInt64]) {
    self.entries = entries
    for at in stride(from: entries.count / 2 - 1, through: 0, by: -1) {
      sink(self.entries[at], from: at)
    }
  }

  mutating func push(_ entry: UInt64) {
    entries.append(entry)
    var at = entries.count - 1
    while at > 0, entry < entries[(at - 1) / 2] {
      entries[at] = entries[(at - 1) / 2]
      at = (at - 1) / 2
    }
    entries[at] = entry
  }

  mutating func pop() -> UInt64? {
    guard let first = entries.first else { return nil }
    let last = entries.removeLast()
    if !entries.isEmpty { sink(last, from: 0) }
    return first
  }

  private mutating func sink(_ entry: UInt64, from start: Int) {
    var at = start
    while 2 * at + 1 < entries.count {
      var child = 2 * at + 1
      if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
      if entry <= entries[child] { break }
      entries[at] = entries[child]
      at = child
    }
    entries[at] = entry
  }
}

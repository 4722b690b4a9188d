/// Merges neighbouring symbols, the pair of the lowest rank first, the leftmost of equals first.
struct BytePairMerger: Sendable {
  private let merges: [UInt32]
  private let index: HashIndex

  init(_ tables: TokenizerTables) {
    let merges = tables.merges
    var index = HashIndex(count: tables.mergeCount)
    for rank in 0..<tables.mergeCount {
      let (left, right) = (merges[3 * rank], merges[3 * rank + 1])
      index.insert(rank, HashIndex.hash(left, right)) {
        merges[3 * $0] == left && merges[3 * $0 + 1] == right
      }
    }
    self.merges = merges
    self.index = index
  }

  private func rank(_ left: Int32, _ right: Int32) -> Int? {
    if left < 0 || right < 0 { return nil }
    let (left, right) = (UInt32(bitPattern: left), UInt32(bitPattern: right))
    return index.find(HashIndex.hash(left, right)) {
      merges[3 * $0] == left && merges[3 * $0 + 1] == right
    }
  }

  private func result(_ rank: Int) -> Int32 { Int32(bitPattern: merges[3 * rank + 2]) }

  /// Merges `symbols` as far as the ranks go.
  func merge(_ symbols: inout [Int32]) {
    if symbols.count > 48 { return mergeLong(&symbols) }
    while symbols.count > 1 {
      var best = Int.max
      var place = -1
      for at in 0..<symbols.count - 1 {
        if let rank = rank(symbols[at], symbols[at + 1]), rank < best {
          best = rank
          place = at
        }
      }
      if place < 0 { return }
      symbols[place] = result(best)
      symbols.remove(at: place + 1)
    }
  }

  /// The same with a heap over a linked list: n log n for words without end.
  private func mergeLong(_ symbols: inout [Int32]) {
    var next = (0..<symbols.count).map { $0 + 1 < symbols.count ? $0 + 1 : -1 }
    var previous = (0..<symbols.count).map { $0 - 1 }
    var alive = [Bool](repeating: true, count: symbols.count)
    var heap = Heap()
    func push(_ left: Int) {
      let right = next[left]
      guard right >= 0, let rank = rank(symbols[left], symbols[right]) else { return }
      heap.push(.init(rank: rank, at: left, left: symbols[left], right: symbols[right]))
    }
    for at in 0..<symbols.count - 1 { push(at) }
    while let pair = heap.pop() {
      let right = alive[pair.at] ? next[pair.at] : -1
      guard right >= 0, symbols[pair.at] == pair.left, symbols[right] == pair.right else {
        continue
      }
      symbols[pair.at] = result(pair.rank)
      alive[right] = false
      next[pair.at] = next[right]
      if next[right] >= 0 { previous[next[right]] = pair.at }
      push(pair.at)
      if previous[pair.at] >= 0 { push(previous[pair.at]) }
    }
    symbols = symbols.indices.filter { alive[$0] }.map { symbols[$0] }
  }
}

/// A binary heap of pairs, lowest rank and then leftmost first.
private struct Heap {
  struct Pair {
    var rank: Int
    var at: Int
    var left: Int32
    var right: Int32

    static func < (a: Pair, b: Pair) -> Bool {
      a.rank != b.rank ? a.rank < b.rank : a.at < b.at
    }
  }

  private var pairs: [Pair] = []

  mutating func push(_ pair: Pair) {
    pairs.append(pair)
    var at = pairs.count - 1
    while at > 0, pairs[at] < pairs[(at - 1) / 2] {
      pairs.swapAt(at, (at - 1) / 2)
      at = (at - 1) / 2
    }
  }

  mutating func pop() -> Pair? {
    guard let first = pairs.first else { return nil }
    let last = pairs.removeLast()
    if pairs.isEmpty { return first }
    pairs[0] = last
    var at = 0
    while true {
      var least = at
      for child in [2 * at + 1, 2 * at + 2] where child < pairs.count && pairs[child] < pairs[least]
      {
        least = child
      }
      if least == at { return first }
      pairs.swapAt(at, least)
      at = least
    }
  }
}

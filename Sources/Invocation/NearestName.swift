/// The known name that a wrong one was probably meant to be.
public enum NearestName {
  /// What an error says behind a wrong name: `: did you mean 'steps'?`; nothing where no name is near.
  public static func hint(_ name: String, among names: some Sequence<String>) -> String {
    find(name, among: names).map { ": did you mean '\($0)'?" } ?? ""
  }

  /// The name of `names` with the fewest edits from `name`, the first of several; nil where more than
  /// half of the longer one would have to be another.
  static func find(_ name: String, among names: some Sequence<String>) -> String? {
    let near = names.map { (name: $0, edits: distance(name, $0)) }
      .filter { 2 * $0.edits <= max(name.count, $0.name.count) }
    return near.min { $0.edits < $1.edits }?.name
  }

  /// Characters to insert, remove, replace or swap with a neighbour to get from `a` to `b` (optimal
  /// string alignment).
  static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var before: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var best = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
        row.append(best)
      }
      (before, last) = (last, row)
    }
    return last[b.count]
  }
}

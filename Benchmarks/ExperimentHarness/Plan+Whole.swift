import Foundation

extension Plan {
  /// The plan of everything that `selection` is chosen from: all data sets and variants, and the seeds
  /// that were evaluated in `output` before.
  ///
  /// Throws ``ExperimentError`` where a setting, a name or a variable is unknown.
  public static func whole(
    _ experiment: Experiment, here: String, output: String, selection: Selection = Selection()
  ) throws -> Plan {
    var selection = selection
    selection.data = nil
    selection.variants = nil
    let seeds = selection.seeds ?? experiment.seeds
    let earlier = evaluatedSeeds(output + "/" + experiment.name).subtracting(seeds)
    selection.seeds = seeds + earlier.sorted()
    return try Plan(experiment, here: here, output: output, selection: selection)
  }

  /// The seeds in names of folders, VARIANT/DATA/seed-N, below `results`.
  private static func evaluatedSeeds(_ results: String) -> Set<UInt64> {
    func inside(_ folder: String) -> [String] {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      return names.map { folder + "/" + $0 }
    }
    let folders = inside(results).flatMap(inside).flatMap(inside)
    return Set(
      folders.compactMap { path in
        path.split(separator: "/").last?.split(separator: "-").last.flatMap { UInt64($0) }
      })
  }

  /// This plan, and the parts of `whole` that have results and `isMade`, with what these need; but not
  /// those whose place this plan's have, of a part of the data that `whole` joins.
  func adding(from whole: Plan, where isMade: (Part) -> Bool) -> Plan {
    let own = Dictionary(uniqueKeysWithValues: parts.map { ($0.id, $0) })
    let others = Dictionary(uniqueKeysWithValues: whole.parts.map { ($0.id, $0) })
    var kept = Set(own.keys)
    func keep(_ part: Part) {
      guard kept.insert(part.id).inserted else { return }
      for need in part.needs { if let other = others[need] { keep(other) } }
    }
    let apart = parts.filter { others[$0.id] == nil }
    func isShown(_ part: Part) -> Bool {
      guard let result = part.result else { return false }
      return !apart.contains {
        $0.result?.variant == result.variant && $0.result?.data == result.data
      }
    }
    for part in whole.parts where isShown(part) && isMade(part) { keep(part) }
    var result = whole
    result.parts =
      whole.parts.compactMap { part in kept.contains(part.id) ? own[part.id] ?? part : nil } + apart
    return result
  }
}

/// What of an experiment is asked for.
extension Plan {
  /// Which seeds, data sets and settings.
  public struct Selection: Sendable {
    /// The weight file, instead of the experiment's.
    public var model: String?
    /// Settings, instead of the experiment's.
    public var settings: [String: String]
    /// Data sets to evaluate on; nil for all.
    public var data: [String]?
    /// Variants to evaluate; nil for all.
    public var variants: [String]?
    /// Seeds, instead of the experiment's.
    public var seeds: [UInt64]?

    /// Everything unless said otherwise.
    public init(
      model: String? = nil, settings: [String: String] = [:], data: [String]? = nil,
      variants: [String]? = nil, seeds: [UInt64]? = nil
    ) {
      self.model = model
      self.settings = settings
      self.data = data
      self.variants = variants
      self.seeds = seeds
    }
  }
}

extension Experiment {
  /// Takes the selection's settings and seeds, and keeps its variants and data sets.
  mutating func keep(_ selection: Plan.Selection) throws {
    for (name, value) in selection.settings {
      guard settings[name] != nil else {
        throw ExperimentError.unknown("--set: ", name, settings.keys.sorted())
      }
      settings[name] = value
    }
    if let seeds = selection.seeds {
      guard Set(seeds).count == seeds.count else { throw ExperimentError("--seeds: has one twice") }
      self.seeds = seeds
    }
    if let chosen = selection.variants {
      let known = variants.map(\.name)
      for name in chosen where !known.contains(name) {
        throw ExperimentError.unknown("--variants: ", name, known)
      }
      variants = variants.filter { chosen.contains($0.name) }
    }
    if let chosen = selection.data { try keep(data: chosen) }
  }

  /// Keeps the data sets `chosen`, what joins some of them, and the variants that need no others.
  private mutating func keep(data chosen: [String]) throws {
    let evaluated = data.filter { $0.test != nil }.map(\.name)
    for name in chosen where !evaluated.contains(name) {
      throw ExperimentError.unknown("--data: ", name, evaluated)
    }
    data = data.compactMap { set in
      var set = set
      let joined = set.joins.count
      set.joins.removeAll { !chosen.contains($0) }
      set.isPart = set.joins.count < joined
      return joined > 0 ? (set.joins.isEmpty ? nil : set) : chosen.contains(set.name) ? set : nil
    }
    let left = Set(data.map(\.name))
    func needs(_ stage: String?) -> [String] {
      guard let stage = stages.first(where: { $0.name == stage }) else { return [] }
      return [stage.data, stage.fromData].compactMap(\.self) + needs(stage.from)
    }
    variants = variants.compactMap { variant in
      guard
        ([variant.stageData].compactMap(\.self) + needs(variant.stage)).allSatisfy(left.contains)
      else { return nil }
      var variant = variant
      variant.on = variant.on.map { $0.filter(left.contains) }
      return variant.on?.isEmpty == true ? nil : variant
    }
  }
}

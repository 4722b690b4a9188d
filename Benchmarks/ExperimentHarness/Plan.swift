import Foundation

/// The parts of an experiment, each behind what it needs.
public struct Plan: Sendable {
  /// The experiment.
  public let experiment: Experiment
  /// The weight file.
  public let model: String
  /// The folder of everything that is made.
  public let output: String
  /// The folder of the experiment's results.
  public var results: String { output + "/" + experiment.name }
  /// In the order of making.
  public internal(set) var parts: [Part] = []
  private let here: String

  /// What a stage's result is read from.
  private struct Result {
    var model: String
    var adapter: String?
    /// What the inner step of its training moves.
    var inner: String?
    /// The folder of the joined data behind it, where some of what it joins was left out.
    var part: String?
    var needs: [String]
  }

  /// Plans `experiment`, whose file is in the folder `here`, for the folder `output`.
  ///
  /// Throws ``ExperimentError`` where a setting, a name or a variable is unknown.
  public init(
    _ experiment: Experiment, here: String, output: String, selection: Selection = Selection()
  ) throws {
    var experiment = experiment
    try experiment.keep(selection)
    guard let model = selection.model ?? experiment.model else {
      throw ExperimentError("--model: the experiment names none")
    }
    self.experiment = experiment
    self.model = model
    self.output = output
    self.here = here
    for data in experiment.data where data.test != nil {
      for variant in experiment.variants where variant.on?.contains(data.name) != false {
        try addResults(variant, data)
      }
    }
    // The order of first need puts training before other data: data first is easier to follow.
    parts = parts.filter { $0.kind == .data } + parts.filter { $0.kind != .data }
    if parts.isEmpty {
      throw ExperimentError("--data and --variants leave nothing of the experiment to evaluate")
    }
  }

  // MARK: Parts

  private mutating func add(_ part: Part) {
    if !parts.contains(where: { $0.id == part.id }) { parts.append(part) }
  }

  private mutating func addResults(
    _ variant: Experiment.Variant, _ data: Experiment.DataSet
  ) throws {
    guard let stage = variant.stage else {
      try addResult(variant, data, seed: nil, Result(model: model, needs: []))
      return
    }
    var done: Set<String> = []
    for seed in experiment.seeds {
      let own = stageSeed(stage, seed)
      guard done.insert("\(own)").inserted else { continue }
      let result = try stageResult(
        stage, data: variant.stageData ?? data.name, seed: seed)
      try addResult(variant, data, seed: own, result)
    }
  }

  /// The seed that a stage's result depends on: its own, or the run's.
  private func stageSeed(_ name: String, _ seed: UInt64) -> UInt64 {
    experiment.trainedStage(name)?.seed ?? seed
  }

  private mutating func addResult(
    _ variant: Experiment.Variant, _ data: Experiment.DataSet, seed: UInt64?, _ result: Result
  ) throws {
    let (files, needs) = try files(data.name)
    let name = [variant.name, result.part].compactMap(\.self).joined(separator: "-")
    let id = path(experiment.name, name, data.name, seed)
    let folder = output + "/" + id
    guard let test = files.test else { return }
    var words = ["imprint", "evaluate", "--model", result.model]
    if let adapter = result.adapter { words += ["--adapter", adapter] }
    words += ["--data", test, "--json", folder + "/report.json"]
    words += ["--markdown", folder + "/report.md"]
    for (options, place) in [
      (data.options, data.place), (experiment.evaluate, experiment.evaluatePlace),
      (variant.evaluate, variant.place),
    ] {
      words += try expand(options, at: place, folder: folder, seed: seed, data)
    }
    let inner = words.contains("full") ? "full" : result.inner ?? "lora"
    add(
      Part(
        id: id, kind: .evaluate, title: label("evaluate \(variant.title)", data, seed),
        commands: [words], needs: result.needs + needs,
        likeness: ["evaluate \(data.name) \(inner)", "evaluate \(inner)", "evaluate"],
        tasks: test, expectedTasks: try tests(data), result: (variant.name, data.name, seed)))
  }

  /// The result of a stage on `data`; its parts are added.
  private mutating func stageResult(
    _ name: String, data: String, seed: UInt64
  ) throws -> Result {
    let stage = try stage(name)
    let set = try dataSet(stage.data ?? data)
    let own = stageSeed(name, seed)
    var start = Result(model: model, needs: [])
    if let from = stage.from {
      start = try stageResult(from, data: stage.fromData ?? set.name, seed: own)
    }
    let id = path("stages", stage.name, set.folder, own)
    let folder = output + "/" + id
    var needs = start.needs
    var commands: [[String]] = []
    let options = try expand(stage.options, at: stage.place, folder: folder, seed: own, set)
    let inner = options.contains("full") ? "full" : "lora"
    let part = set.isPart ? set.folder : start.part
    var result = Result(
      model: start.model, adapter: folder + "/run", inner: inner, part: part, needs: [id])
    var tasks: String?
    switch stage.command {
    case .merge:
      guard let adapter = start.adapter else {
        throw ExperimentError(
          "stage '\(stage.name)': '\(stage.from ?? "")' gives no adapter to merge")
      }
      result = Result(model: folder + "/model.imprint", part: part, needs: [id])
      commands = [["imprint-tools", "merge", start.model, adapter, result.model] + options]
    case .train, .finetune:
      let (files, made) = try files(set.name)
      guard let train = files.train else {
        throw ExperimentError("stage '\(stage.name)': data '\(set.name)' has no 'train'")
      }
      needs += made
      tasks = train
      var words = ["imprint", stage.command.rawValue, "--model", start.model]
      if let adapter = start.adapter { words += ["--adapter", adapter] }
      words += ["--data", train, "--output", folder + "/run", "--seed", "\(own)"]
      words += try expand(set.options, at: set.place, folder: folder, seed: own, set)
      words += options
      commands = [words]
      if stage.givesModel { result.model = folder + "/run/model.imprint" }
    }
    let kind = Part.Kind(rawValue: stage.command.rawValue) ?? .train
    let order = options.contains("--first-order") ? "first" : "second"
    add(
      Part(
        id: id, kind: kind, title: label(stage.title, set, own), commands: commands, needs: needs,
        likeness: [
          "\(stage.name) \(set.name)", "\(kind) \(inner) \(order) \(set.name)", stage.name,
          "\(kind) \(inner) \(order)", "\(kind)",
        ], tasks: tasks, result: nil))
    return result
  }

  /// How many tests a data set is going to have, where it says so.
  private func tests(_ set: Experiment.DataSet) throws -> Int? {
    guard let text = set.tests else { return nil }
    let words = try expand(text, at: set.place, folder: "", seed: nil, set)
    guard words.count == 1, let count = Int(words[0]), count > 0 else {
      throw ExperimentError(
        "\(set.place)'tests': '\(words.joined(separator: " "))': a whole number was expected")
    }
    return count
  }

  /// The files of a data set, and the parts that make them, which are added.
  private mutating func files(
    _ name: String
  ) throws -> (files: (train: String?, test: String?), needs: [String]) {
    let set = try dataSet(name)
    let id = "data/\(set.folder)"
    let folder = output + "/" + id
    var commands = try set.commands.map {
      try expand($0, at: set.place, folder: folder, seed: nil, set)
    }
    func file(_ text: String?) throws -> String? {
      guard let text else { return nil }
      let words = try expand(text, at: set.place, folder: folder, seed: nil, set)
      guard words.count == 1 else {
        throw ExperimentError("data '\(name)': '\(text)' is not one path")
      }
      return words[0]
    }
    var files = (train: try file(set.train), test: try file(set.test))
    var needs: [String] = []
    if !set.joins.isEmpty {
      var sources: [String] = []
      for join in set.joins {
        let (parts, made) = try self.files(join)
        needs += made
        guard let train = parts.train else {
          throw ExperimentError("data '\(name)': '\(join)' has no 'train'")
        }
        sources.append(train)
      }
      files.train = folder + "/train.jsonl"
      commands = [["cat"] + sources + [">", folder + "/train.jsonl"]]
    }
    if commands.isEmpty { return (files, needs) }
    for words in commands where !Self.executables.contains(words.first ?? "") {
      throw ExperimentError.unknown("data '\(name)': ", words.first ?? "", Self.executables)
    }
    add(
      Part(
        id: id, kind: .data, title: "data · \(set.title)", commands: commands, needs: needs,
        likeness: ["data \(name)", "data"], tasks: nil, result: nil))
    return (files, [id])
  }

  private static let executables = ["imprint", "imprint-tools", "imprint-bench", "cat"]

  // MARK: Names

  private func path(_ kind: String, _ name: String, _ data: String, _ seed: UInt64?) -> String {
    "\(kind)/\(name)/\(data)" + (seed.map { "/seed-\($0)" } ?? "")
  }

  private func label(_ what: String, _ data: Experiment.DataSet, _ seed: UInt64?) -> String {
    let isOne = experiment.seeds.count == 1
    return "\(what) · \(data.title)" + (isOne ? "" : seed.map { " · seed \($0)" } ?? "")
  }

  /// The words of `text`, which stands at `place`.
  private func expand(
    _ text: String, at place: String, folder: String, seed: UInt64?, _ set: Experiment.DataSet
  ) throws -> [String] {
    var paths = ["model": model, "output": output, "here": here, "folder": folder]
    paths["seed"] = seed.map { "\($0)" }
    do {
      return try Words(text).expanded(
        experiment.settings.merging(set.settings) { $1 }, paths: paths)
    } catch let error as ExperimentError {
      throw ExperimentError(place + error.description)
    }
  }

  private func stage(_ name: String) throws -> Experiment.Stage {
    guard let stage = experiment.stages.first(where: { $0.name == name }) else {
      throw ExperimentError("stage '\(name)' is unknown")
    }
    return stage
  }

  private func dataSet(_ name: String) throws -> Experiment.DataSet {
    guard let set = experiment.data.first(where: { $0.name == name }) else {
      throw ExperimentError("data '\(name)' is unknown")
    }
    return set
  }
}

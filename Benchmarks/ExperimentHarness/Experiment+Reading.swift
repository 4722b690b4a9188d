import Foundation

extension Experiment {
  /// Reads the file at `path`; where `smoke`, with what its section `smoke` puts in place.
  ///
  /// Throws ``ExperimentError`` naming file, line and key.
  public init(path: String, smoke: Bool = false) throws {
    var root = try Self.root(path)
    name = String(path.split(separator: "/").last?.split(separator: ".").first ?? "")
    guard name.isPlainName, !Self.reserved.contains(name) else {
      throw ExperimentError(
        "\(path): the file's name has letters, digits, '-' and '_', and is none of \(Self.reserved.joined(separator: ", "))"
      )
    }
    var shared = Shared()
    if let other = try root.string("include") {
      let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
      var reader = try Self.root(folder + other)
      try shared.add(&reader)
      try reader.finish()
    }
    title = try root.required("title")
    about = try root.string("about") ?? ""
    seeds = [1]
    try shared.add(&root)
    if smoke { shared.shrink() }
    model = shared.model
    seeds = shared.seeds ?? seeds
    settings = shared.settings
    data = shared.data
    stages = shared.stages
    rates = shared.rates
    variants = try root.named("variants").map { try Variant($0.name, $0.reader) }
    baseline = try root.string("baseline") ?? variants.first?.name ?? ""
    evaluate = try root.string("evaluate") ?? ""
    evaluatePlace = root.problem("evaluate", "").description
    tables = try root.list("tables").map { try Table($0) }
    picture = try root.reader("picture").map { try Picture($0) }
    try root.finish()
    try check(root)
  }

  /// Names of folders below an output.
  private static let reserved = ["data", "stages"]

  private static func root(_ path: String) throws -> YAMLReader {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ExperimentError("\(path): cannot be read")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw ExperimentError("\(path): is not UTF-8 text")
    }
    return try YAMLReader(file: path, text: text)
  }

  /// What a file and the one that it includes both may have; the later one counts.
  private struct Shared {
    var model: String?
    var seeds: [UInt64]?
    var settings: [String: String] = [:]
    var data: [DataSet] = []
    var stages: [Stage] = []
    var rates: Rates?
    /// What takes the place of settings and seeds, whichever file they are in, where all is to be small.
    private var smoke: (settings: [String: String], seeds: [UInt64]?) = ([:], nil)

    mutating func shrink() {
      settings.merge(smoke.settings) { $1 }
      seeds = smoke.seeds ?? seeds
    }

    mutating func add(_ root: inout YAMLReader) throws {
      model = try root.string("model") ?? model
      seeds = try root.numbers("seeds") ?? seeds
      for (name, value) in try root.pairs("settings") { settings[name] = value }
      if var reader = try root.reader("smoke") {
        let pairs = try reader.pairs("settings")
        let numbers = try reader.numbers("seeds")
        try reader.finish()
        for (name, value) in pairs {
          guard settings[name] != nil else {
            throw reader.unknown("settings", name, settings.keys.sorted())
          }
          smoke.settings[name] = value
        }
        smoke.seeds = numbers ?? smoke.seeds
      }
      let metric = try root.string("metric") ?? "exact_match"
      for (name, reader) in try root.named("data") {
        try data.put(DataSet(name, reader, metric: metric), named: \.name)
      }
      for (name, reader) in try root.named("stages") {
        try stages.put(Stage(name, reader), named: \.name)
      }
      rates = try root.reader("rates").map { try Rates($0) } ?? rates
    }
  }

  /// Names must exist, and stages must not go in a circle.
  private func check(_ root: YAMLReader) throws {
    if data.isEmpty { throw root.problem("data", "is missing") }
    if variants.isEmpty { throw root.problem("variants", "is missing") }
    if seeds.isEmpty { throw root.problem("seeds", "is empty") }
    if Set(seeds).count < seeds.count { throw root.problem("seeds", "has one twice") }
    func known(_ name: String?, _ names: [String], _ place: String) throws {
      guard let name, !names.contains(name) else { return }
      throw ExperimentError.unknown(place, name, names)
    }
    let (dataNames, stageNames) = (data.map(\.name), stages.map(\.name))
    for set in data {
      for name in set.joins {
        try known(name, dataNames, set.place)
        if data.first(where: { $0.name == name })?.joins.isEmpty == false {
          throw root.problem("data", "'\(set.name)' joins '\(name)', which is joined itself")
        }
      }
    }
    for (index, stage) in stages.enumerated() {
      try known(stage.from, Array(stageNames[..<index]), stage.place)
      try known(stage.fromData, dataNames, stage.place)
      try known(stage.data, dataNames, stage.place)
      if stage.command == .merge, stage.from == nil {
        throw root.problem("stages", "'\(stage.name)': merge needs 'from'")
      }
    }
    for variant in variants {
      try known(variant.stage, stageNames, variant.place)
      try known(variant.stageData, dataNames, variant.place)
      try known(variant.baseline, variants.map(\.name), variant.place)
      for name in variant.on ?? [] { try known(name, dataNames, variant.place) }
      for name in variant.paper.keys { try known(name, dataNames, variant.place) }
    }
    try known(baseline, variants.map(\.name), root.problem("baseline", "").description)
  }
}

extension Array {
  /// Puts `element` in the place of the one that has its name, or behind the others.
  fileprivate mutating func put(_ element: Element, named name: KeyPath<Element, String>) {
    if let place = firstIndex(where: { $0[keyPath: name] == element[keyPath: name] }) {
      self[place] = element
    } else {
      append(element)
    }
  }
}

extension Experiment.DataSet {
  fileprivate init(_ name: String, _ reader: YAMLReader, metric: String) throws {
    var reader = reader
    self.name = name
    place = reader.place
    title = try reader.string("title") ?? name
    self.metric = try reader.string("metric") ?? metric
    guard ReportValues.metrics.contains(self.metric) else {
      throw reader.unknown("metric", self.metric, ReportValues.metrics)
    }
    commands = try reader.strings("commands") ?? []
    joins = try reader.strings("join") ?? []
    train = try reader.string("train")
    test = try reader.string("test")
    options = try reader.string("options") ?? ""
    tests = try reader.string("tests")
    settings = [:]
    for (name, value) in try reader.pairs("settings") { settings[name] = value }
    try reader.finish()
    if !joins.isEmpty, !commands.isEmpty || train != nil {
      throw reader.problem("join", "takes the place of 'commands' and 'train'")
    }
    if joins.isEmpty, train == nil, test == nil {
      throw reader.problem("", "has neither 'train' nor 'test'")
    }
  }
}

extension Experiment.Rates {
  fileprivate init(_ reader: YAMLReader) throws {
    var reader = reader
    of = try reader.required("of")
    seconds = [:]
    for (name, text) in try reader.pairs("seconds") {
      guard let value = Double(text), value > 0, value.isFinite else {
        throw reader.problem("seconds", "'\(name)': '\(text)': a positive number was expected")
      }
      seconds[name] = value
    }
    try reader.finish()
  }
}

extension Experiment.Stage {
  fileprivate init(_ name: String, _ reader: YAMLReader) throws {
    var reader = reader
    self.name = name
    place = reader.place
    title = try reader.string("title") ?? name
    let word = try reader.string("command") ?? Command.train.rawValue
    guard let command = Command(rawValue: word) else {
      throw reader.unknown("command", word, Command.allCases.map(\.rawValue))
    }
    self.command = command
    from = try reader.string("from")
    fromData = try reader.string("from-data")
    data = try reader.string("data")
    seed = try reader.numbers("seed")?.first
    options = try reader.string("options") ?? ""
    let gives = try reader.string("gives") ?? (command == .merge ? "model" : "adapter")
    guard ["adapter", "model"].contains(gives) else {
      throw reader.unknown("gives", gives, ["adapter", "model"])
    }
    givesModel = gives == "model"
    try reader.finish()
  }
}

extension Experiment.Variant {
  fileprivate init(_ name: String, _ reader: YAMLReader) throws {
    var reader = reader
    self.name = name
    place = reader.place
    title = try reader.string("title") ?? name
    stage = try reader.string("stage")
    stageData = try reader.string("stage-data")
    evaluate = try reader.string("evaluate") ?? ""
    on = try reader.strings("on")
    baseline = try reader.string("baseline")
    paper = [:]
    for (name, value) in try reader.pairs("paper") { paper[name] = value }
    try reader.finish()
  }
}

extension Experiment.Value {
  fileprivate init(_ reader: YAMLReader) throws {
    var reader = reader
    title = try reader.required("title")
    path = try reader.required("value")
    try reader.check(path, of: "value")
    try reader.finish()
  }
}

extension YAMLReader {
  /// Throws where no report has a value at `path`.
  fileprivate func check(_ path: String, of key: String) throws {
    guard !ReportValues.knows(path.replacing("$metric", with: ReportValues.metrics[0])) else {
      return
    }
    throw unknown(key, path, ReportValues.paths)
  }
}

extension Experiment.Table {
  fileprivate init(_ reader: YAMLReader) throws {
    var reader = reader
    title = try reader.string("title") ?? ""
    let columns = try reader.list("columns").map { try Experiment.Value($0) }
    let across = try reader.string("across")
    try reader.finish()
    if let across, columns.isEmpty {
      try reader.check(across, of: "across")
      content = .across(across)
    } else if across == nil, !columns.isEmpty {
      content = .columns(columns)
    } else {
      throw reader.problem("", "needs 'columns' or 'across'")
    }
  }
}

extension Experiment.Picture {
  fileprivate init(_ reader: YAMLReader) throws {
    var reader = reader
    title = try reader.string("title") ?? ""
    bars = try reader.list("bars").map { try Experiment.Value($0) }
    try reader.finish()
    if bars.isEmpty { throw reader.problem("bars", "is missing") }
  }
}

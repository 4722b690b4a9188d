import Experiments
import Foundation
import TestSupport
import Testing

/// Files of experiments, and the parts that they become.
@Suite struct PlanTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let experiment = """
    title: Two words
    model: m.imprint
    seeds: [1, 2]
    settings:
      steps: 30
      both: --steps $steps --name "a $word" 'b $word'
      word: x y
      empty: ""
    smoke:
      seeds: [7]
      settings: {steps: 2}
    data:
      one:
        title: First
        commands: imprint data squad in.json --out $folder/train.jsonl
        train: $folder/train.jsonl
        test: test.jsonl
        options: --separator ' '
        settings: {steps: 40}
      two: {train: two.jsonl, test: two-test.jsonl}
      joint: {join: [one, two]}
    stages:
      plain: {command: finetune, seed: 5, options: $both}
      merged: {command: merge, from: plain, options: --quiet}
      gold: {from: merged, options: $empty --steps $steps}
      later: {from: gold, from-data: two, data: joint}
    variants:
      base: {evaluate: --inner-lr 1}
      gold: {stage: gold}
      later: {stage: later, on: one}
    tables: [{columns: [{title: FT, value: ft.$metric}]}]

    """

  private func plan(
    _ text: String = experiment, smoke: Bool = false, _ selection: Plan.Selection = .init()
  ) throws -> Plan {
    let path = try folder.write(Array(text.utf8), "words.yaml")
    return try Plan(
      Experiment(path: path, smoke: smoke), here: folder.path, output: "out", selection: selection)
  }

  private func commands(_ plan: Plan, _ id: String) -> [[String]] {
    plan.parts.first { $0.id == id }?.commands ?? []
  }

  @Test func partsComeBehindWhatTheyNeed() throws {
    let plan = try plan()
    var seen: Set<String> = []
    for part in plan.parts {
      #expect(part.needs.allSatisfy(seen.contains), "\(part.id)")
      #expect(seen.insert(part.id).inserted, "\(part.id)")
    }
    #expect(
      seen == [
        "data/one", "data/joint", "stages/plain/one/seed-5", "stages/merged/one/seed-5",
        "stages/gold/one/seed-1", "stages/gold/one/seed-2", "stages/plain/two/seed-5",
        "stages/merged/two/seed-5", "stages/gold/two/seed-1", "stages/gold/two/seed-2",
        "stages/later/joint/seed-1", "stages/later/joint/seed-2", "words/base/one",
        "words/base/two", "words/gold/one/seed-1", "words/gold/one/seed-2",
        "words/gold/two/seed-1", "words/gold/two/seed-2", "words/later/one/seed-1",
        "words/later/one/seed-2",
      ])
  }

  @Test func commandLines() throws {
    let plan = try plan()
    #expect(
      commands(plan, "stages/plain/one/seed-5") == [
        [
          "imprint", "finetune", "--model", "m.imprint", "--data", "out/data/one/train.jsonl",
          "--output", "out/stages/plain/one/seed-5/run", "--seed", "5", "--separator", " ",
          "--steps", "40", "--name", "a x y", "b $word",
        ]
      ])
    #expect(
      commands(plan, "stages/merged/one/seed-5") == [
        [
          "imprint-tools", "merge", "m.imprint", "out/stages/plain/one/seed-5/run",
          "out/stages/merged/one/seed-5/model.imprint", "--quiet",
        ]
      ])
    #expect(
      commands(plan, "stages/gold/two/seed-2") == [
        [
          "imprint", "train", "--model", "out/stages/merged/two/seed-5/model.imprint", "--data",
          "two.jsonl", "--output", "out/stages/gold/two/seed-2/run", "--seed", "2", "--steps", "30",
        ]
      ])
    #expect(
      commands(plan, "stages/later/joint/seed-1") == [
        [
          "imprint", "train", "--model", "out/stages/merged/two/seed-5/model.imprint", "--adapter",
          "out/stages/gold/two/seed-1/run", "--data", "out/data/joint/train.jsonl", "--output",
          "out/stages/later/joint/seed-1/run", "--seed", "1",
        ]
      ])
    #expect(
      commands(plan, "data/joint") == [
        ["cat", "out/data/one/train.jsonl", "two.jsonl", ">", "out/data/joint/train.jsonl"]
      ])
    #expect(
      commands(plan, "words/base/one") == [
        [
          "imprint", "evaluate", "--model", "m.imprint", "--data", "test.jsonl", "--json",
          "out/words/base/one/report.json", "--markdown", "out/words/base/one/report.md",
          "--separator", " ", "--inner-lr", "1",
        ]
      ])
  }

  @Test func selections() throws {
    let small = try plan(smoke: true, .init(data: ["two"], variants: ["gold"]))
    #expect(
      small.parts.map(\.id) == [
        "stages/plain/two/seed-5", "stages/merged/two/seed-5", "stages/gold/two/seed-7",
        "words/gold/two/seed-7",
      ])
    #expect(commands(small, "stages/gold/two/seed-7")[0].suffix(2) == ["--steps", "2"])
    let own = try plan(.init(model: "n", settings: ["steps": "9"], data: ["two"], seeds: [3]))
    #expect(commands(own, "stages/gold/two/seed-3")[0].suffix(2) == ["--steps", "9"])
    #expect(commands(own, "words/base/two")[0][3] == "n")
  }

  /// What is small is so whichever file has the setting.
  @Test func includedSmokeSettingsStay() throws {
    _ = try folder.write(
      Array("settings: {steps: 30}\nsmoke: {seeds: [7], settings: {steps: 2}}\n".utf8), "c.yaml")
    let text = """
      include: c.yaml
      title: Own
      model: m
      seeds: [1, 2]
      settings: {steps: 200}
      data: {one: {train: t, test: y}}
      stages: {gold: {options: --steps $steps}}
      variants: {gold: {stage: gold}}
      """
    let (small, large) = (try plan(text, smoke: true), try plan(text))
    #expect(commands(small, "stages/gold/one/seed-7")[0].suffix(2) == ["--steps", "2"])
    #expect(commands(large, "stages/gold/one/seed-2")[0].suffix(2) == ["--steps", "200"])
    #expect(small.parts.count == 2 && large.parts.count == 4)
  }

  /// Paths are one word, with whatever is in them.
  @Test func pathsAreTakenAsTheyAre() throws {
    let path = try folder.write(
      Array(Self.experiment.replacing("$empty --steps", with: "--lm-data $model --steps").utf8),
      "words.yaml")
    let plan = try Plan(
      Experiment(path: path), here: folder.path, output: "my $out",
      selection: .init(model: "a model", data: ["one"], seeds: [1]))
    #expect(commands(plan, "data/one")[0].last == "my $out/data/one/train.jsonl")
    let gold = commands(plan, "stages/gold/one/seed-1")[0]
    #expect(gold.contains("a model") && gold.contains("my $out/data/one/train.jsonl"))
  }

  /// What was trained on a data set that is not chosen is left out, and joins shrink.
  @Test func chosenDataIsAllThereIs() throws {
    let plan = try plan(.init(data: ["one"], seeds: [1]))
    #expect(
      plan.parts.map(\.id).filter { $0.hasPrefix("words") } == [
        "words/base/one", "words/gold/one/seed-1",
      ])
    let text = Self.experiment.replacing("from-data: two, ", with: "")
    let joined = try self.plan(text, .init(data: ["one"], seeds: [1]))
    #expect(
      commands(joined, "data/joint-one") == [
        ["cat", "out/data/one/train.jsonl", ">", "out/data/joint-one/train.jsonl"]
      ])
    // What comes of fewer is not what comes of all.
    #expect(joined.parts.contains { $0.id == "stages/later/joint-one/seed-1" })
    #expect(joined.parts.contains { $0.id == "words/later-joint-one/one/seed-1" })
  }

  private func plan(_ selection: Plan.Selection) throws -> Plan {
    try plan(Self.experiment, smoke: false, selection)
  }

  @Test func anotherFileIsIncluded() throws {
    try folder.write(
      Array("settings: {a: 1, b: 2}\ndata: {one: {test: t}}\nmodel: m\n".utf8), "common.yaml")
    let plan = try plan(
      """
      include: common.yaml
      title: x
      settings: {b: 3}
      variants: {v: {evaluate: $a $b $here}}
      """)
    #expect(commands(plan, "words/v/one")[0].suffix(3) == ["1", "3", folder.path])
    // What is here takes the place of what is there, and what follows it there goes on from it.
    try folder.write(
      Array(
        """
        data: {one: {train: t, test: t}}
        stages: {start: {options: --old}, gold: {from: start}}
        model: m
        """.utf8), "common.yaml")
    let other = try self.plan(
      """
      include: common.yaml
      title: x
      stages: {start: {options: --new}}
      variants: {v: {stage: gold}}
      """)
    #expect(commands(other, "stages/start/one/seed-1")[0].last == "--new")
    #expect(other.parts.contains { $0.id == "stages/gold/one/seed-1" })
  }

  /// Every mistake is named with its file, line and key.
  @Test(arguments: [
    ("title: x", "'data': is missing"),
    (": - [", "words.yaml: is not YAML"),
    ("[1]", "words.yaml: a mapping was expected"),
    ("titel: x\ntitle: y", "words.yaml, line 1: unknown key 'titel': expected include, title"),
    ("titel: x\ntitle: y", ": did you mean 'title'?"),
    ("title: x\nsmoke: {settings: {steps: 1}}\nsettings: {step: 2}", ": did you mean 'step'?"),
    ("title: x\ndata: {people: {test: y}}\nvariants: {v: {on: [poeple]}}", "mean 'people'?"),
    ("title: [a]", "line 1: 'title': a text was expected"),
    ("title: x\nseeds: [one]", "'seeds': 'one': a whole number was expected"),
    ("title: x\ndata: {a: {tset: y}}", "'data.a'"),
    ("title: x\ndata: {a b: {test: y}}", "'a b': a name has letters, digits"),
    ("title: x\ndata: {a: {}}", "has neither 'train' nor 'test'"),
    ("title: x\ndata: {a: {test: y}}", "'variants': is missing"),
    ("title: x\nsmoke: {settings: {z: 1}}", "'smoke.settings': 'z' is none of none"),
    (
      "title: x\ndata: {a: {test: y}}\nvariants: {v: {stage: s}}",
      "words.yaml, line 3: 'variants.v': 's' is none of none"
    ),
    (
      "title: x\ndata: {a: {test: y}}\nvariants: {v: {baseline: w}}",
      "words.yaml, line 3: 'variants.v': 'w' is none of v"
    ),
    (
      "title: x\ndata: {a: {test: y}}\nstages: {s: {command: learn}}",
      "'stages.s.command': 'learn' is none of train, finetune, merge"
    ),
    (
      "title: x\ndata: {a: {test: y}}\nstages: {s: {from: s}}\nvariants: {v: {}}",
      "words.yaml, line 3: 'stages.s': 's' is none of none"
    ),
    (
      "title: x\ndata: {a: {test: y}}\nvariants: {v: {}}\ntables: [{title: t}]",
      "'tables[1]': needs 'columns' or 'across'"
    ),
    (
      "title: x\ndata: {a: {test: y}}\nvariants: {v: {}}\ntables: [{across: ft.exact_mach}]",
      "'tables[1].across': 'ft.exact_mach' is none of nc.exact_match, "
    ),
    (
      "title: x\ndata: {a: {test: y}}\nvariants: {v: {}}\n"
        + "picture: {bars: [{title: t, value: retention.four.batched.nll}]}",
      "'picture.bars[1].value': 'retention.four.batched.nll' is none of"
    ),
    ("title: x\nrates: {of: y, seconds: {a: b}}", "'rates.seconds': 'a': 'b': a positive number"),
    (
      "title: x\nmodel: m\ndata: {a: {test: y, tests: z}}\nvariants: {v: {}}",
      "'data.a': 'tests': 'z': a whole number was expected"
    ),
    (
      "title: x\ndata: {a: {test: y, metric: f1}}", "'data.a.metric': 'f1' is none of exact_match, "
    ),
  ])
  func problemsAreNamed(_ text: String, _ expected: String) throws {
    #expect(errorText { _ = try plan(text) }.contains(expected))
  }

  @Test(arguments: [
    ("$nothing", "words.yaml, line 5: 'variants.v': unknown variable '$nothing'"),
    ("$modle", ": did you mean '$model'?"),
    ("a 'b", "a quote is not closed"),
    ("$ x", "a '$' is not followed by a name"),
    ("$a", "settings refer to one another in a circle"),
  ])
  func wrongWordsAreNamed(_ words: String, _ expected: String) throws {
    let text = """
      title: x
      model: m
      settings: {a: $b, b: $a}
      data: {one: {test: y}}
      variants: {v: {evaluate: "\(words)"}}
      """
    #expect(errorText { _ = try plan(text) }.contains(expected))
  }

  @Test func wrongSelectionsAreNamed() throws {
    #expect(
      errorText { _ = try plan(.init(data: ["two"], variants: ["later"])) }
        == "--data and --variants leave nothing of the experiment to evaluate")
    let setting = errorText { _ = try plan(.init(settings: ["stpes": "1"])) }
    #expect(setting.hasPrefix("--set: 'stpes' is none of both, empty, "))
    #expect(setting.hasSuffix(", steps, word: did you mean 'steps'?"))
    #expect(
      errorText { _ = try plan(.init(data: ["joint"])) } == "--data: 'joint' is none of one, two")
    #expect(
      errorText { _ = try plan(.init(variants: ["x"])) }
        == "--variants: 'x' is none of base, gold, later")
  }

  /// Every experiment that is committed can be read and planned, in both sizes.
  @Test(arguments: ["figure-2", "table-1", "table-2", "table-3", "tables-4-5", "smoke"])
  func committedExperiments(_ name: String) throws {
    let here = Fixtures.root + "Benchmarks/experiments"
    for smoke in [false, true] {
      let experiment = try Experiment(path: "\(here)/\(name).yaml", smoke: smoke)
      let plan = try Plan(experiment, here: here, output: "out", selection: .init(model: "m"))
      #expect(plan.parts.count > 8)
      let words = plan.parts.flatMap(\.commands).flatMap(\.self)
      #expect(!words.contains { $0.contains("$") }, "\(words.filter { $0.contains("$") })")
      if name == "smoke" { continue }
      // The controls are always in: first order, and no meta-training.
      #expect(words.contains("--first-order"))
      #expect(words.contains("finetune") && words.contains("merge"))
    }
  }

  /// The file that the documentation shows can be planned as it stands there.
  @Test func documentedExperiment() throws {
    let page = try String(contentsOfFile: Fixtures.root + "Docs/experiments.md", encoding: .utf8)
    let yaml = try #require(page.firstMatch(of: /```yaml\n((?s).*?)```/)?.1)
    let common = Fixtures.root + "Benchmarks/experiments/common.yaml"
    try folder.write(
      Array(String(contentsOfFile: common, encoding: .utf8).utf8), "common.yaml")
    let plan = try plan(String(yaml))
    #expect(
      commands(plan, "stages/prepared/people/seed-1")[0].suffix(4)
        == ["--forms", "prompt,nc", "--steps", "40"])
    #expect(plan.parts.contains { $0.id == "words/rank-8/people/seed-3" })
  }
}

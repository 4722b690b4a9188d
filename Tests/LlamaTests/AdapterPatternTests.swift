import Foundation
import LoRA
import Storage
import TestSupport
import Testing
import Weights

/// Ranks and alphas of single modules, as PEFT finds them.
@Suite struct AdapterPatternTests {
  /// Keys, and which of the tiny model's 14 linears Python's `re.match(rf"(.*\.)?({key})$", name)`
  /// finds for them.
  static let cases: [(key: String, linears: [Int])] = [
    (#"q_proj"#, [0, 7]),
    (#"proj"#, []),
    (#"self_attn.q_proj"#, [0, 7]),
    (#"layers.0.self_attn.q_proj"#, [0]),
    (#"layers.1.mlp.down_proj"#, [13]),
    (#".*"#, Array(0..<14)),
    (#"mlp.*"#, [4, 5, 6, 11, 12, 13]),
    (#"mlp"#, []),
    (#"model.layers.0.mlp.up_proj"#, [5]),
    (#"^model.layers.0.self_attn.k_proj"#, [1]),
    (#"^layers.0.self_attn.k_proj"#, []),
    (#"layers\.[01]\.self_attn\.v_proj"#, [2, 9]),
    (#"[qk]_proj"#, [0, 1, 7, 8]),
    (#"(q|v)_proj"#, [0, 2, 7, 9]),
    (#"q_proj|v_proj"#, [0, 2, 7, 9]),
    (#"0.mlp.gate_proj"#, [4]),
    (#"self.attn.o_proj"#, [3, 10]),
    (#"q_pro"#, []),
    (#"layers.\d+.mlp.up_proj"#, [5, 12]),
    (#"o_proj$"#, [3, 10]),
    (#"q_proj."#, []),
    (#"x.q_proj"#, []),
    (#"model"#, []),
    (#".*attn.(q|k){1,2}_proj"#, [0, 1, 7, 8]),
    (#"s.0.mlp.up_proj"#, []),
    (#"[^.]*_proj"#, Array(0..<14)),
    (#".q_proj"#, []),
    (#"(?:.*1.*)"#, [7, 8, 9, 10, 11, 12, 13]),
  ]

  func entries(_ configuration: AdapterConfiguration) -> [AdapterLayout.Entry] {
    AdapterLayout(configuration, architecture: TinyModel.architecture).entries
  }

  @Test(arguments: cases.indices) func keysMatchAsInPEFT(_ index: Int) {
    let (key, linears) = Self.cases[index]
    let ranks = entries(.init(rank: 3, rankPattern: [key: 5])).map(\.rank)
    #expect(ranks == (0..<14).map { linears.contains($0) ? 5 : 3 }, "\(key)")
  }

  /// α / r of each linear, and α / √r with rank stabilisation.
  @Test func scalesFollowBothPatterns() {
    var configuration = AdapterConfiguration(
      rank: 4, alpha: 8, rankPattern: ["q_proj": 16], alphaPattern: ["layers.1.self_attn.q_proj": 6]
    )
    let plain = entries(configuration)
    #expect(plain[0].scale == 0.5 && plain[7].scale == 6.0 / 16 && plain[1].scale == 2)
    configuration.useRSLoRA = true
    let stabilised = entries(configuration)
    #expect(stabilised[0].scale == 2 && stabilised[7].scale == 1.5 && stabilised[1].scale == 4)
  }

  /// PEFT tries keys in the order of its file, which it writes in alphabetical order.
  @Test func theFirstKeyInAlphabeticalOrderDecides() throws {
    let ranks = entries(
      .init(rankPattern: ["k_proj": 2, "layers.0.self_attn.k_proj": 4, "^model.layers.1.*": 6])
    ).map(\.rank)
    #expect(ranks == [8, 2, 8, 8, 8, 8, 8, 6, 6, 6, 6, 6, 6, 6])
    func pattern(_ pairs: [(String, Int)]) throws -> [String: Int] {
      try AdapterConfiguration.pattern(
        pairs.map { ($0.0, $0.1) }, modules: LinearKind.allCases, layers: 2)
    }
    // The order given and the alphabetical order agree, or both keys mean the same.
    _ = try pattern([("layers.0.self_attn.q_proj", 4), ("q_proj", 2)])
    _ = try pattern([("q_proj", 2), ("layers.0.self_attn.q_proj", 2)])
    _ = try pattern([("^model.layers.0.self_attn.k_proj", 4), ("k_proj", 2)])
    func problem(_ pairs: [(String, Int)]) -> String {
      do {
        _ = try pattern(pairs)
        return ""
      } catch { return "\(error)" }
    }
    #expect(problem([("layers.0.self_attn.k_proj", 4), ("k_proj", 2)]).contains("both name"))
    #expect(problem([("q_proj", 2), ("q_proj", 3)]).contains("given twice"))
    #expect(problem([("layers.2.self_attn.q_proj", 3)]).contains("names no linear"))
    #expect(problem([("q_proj[", 3)]).contains("not a regular expression"))
    #expect(problem([("", 3)]).contains("empty key"))
    #expect(
      throws: AdapterPatternError.self,
      performing: {
        try AdapterConfiguration.pattern([("q_proj", 3)], modules: [.value], layers: 2)
      })
  }

  @Test func theConfigurationIsWrittenAndReadAsPEFTHasIt() throws {
    let folder = try TemporaryFolder()
    let configuration = AdapterConfiguration(
      rank: 3, alpha: 6, targetModules: [.query, .down],
      rankPattern: ["layers.0.self_attn.q_proj": 5], alphaPattern: ["down_proj": 9.5],
      dropout: 0.25)
    let arena = Arena()
    let adapter = AdapterTensors<Float>(
      layout: AdapterLayout(configuration, architecture: TinyModel.architecture), arena: arena,
      for: .adapter)
    adapter.initialize(seed: 1)
    try AdapterFile.writeFolder(adapter, to: folder.path, base: "tiny")
    let path = folder.file("adapter_config.json")
    let data = try Data(contentsOf: URL(filePath: path))
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(object["rank_pattern"] as? [String: Int] == ["layers.0.self_attn.q_proj": 5])
    #expect(object["alpha_pattern"] as? [String: Double] == ["down_proj": 9.5])
    #expect(object["lora_dropout"] as? Double == 0.25)
    let file = try AdapterFile(path: folder.path)
    #expect(file.configuration == configuration)
    let back = AdapterTensors<Float>(layout: adapter.layout, arena: arena, for: .adapter)
    try file.read(into: back)
    #expect(back.flat.elements == adapter.flat.elements)

    for (key, value, part) in [
      ("rank_pattern", ["q_proj(": 3] as Any, "not a regular expression"),
      ("alpha_pattern", ["[": 3], "not a regular expression"),
      ("lora_dropout", 1, "lora_dropout"), ("lora_dropout", -0.1, "lora_dropout"),
    ] {
      var other = object
      other[key] = value
      try JSONSerialization.data(withJSONObject: other).write(to: URL(filePath: path))
      #expect {
        try AdapterFile(path: folder.path)
      } throws: { error in
        "\(error)".contains(part) && "\(error)".contains("adapter_config.json")
      }
    }
  }

  /// A configuration of a run from before there was dropout.
  @Test func anOlderConfigurationHasNoDropout() throws {
    let data = try JSONEncoder().encode(AdapterConfiguration(rank: 3, dropout: 0.5))
    var object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    object["dropout"] = nil
    let old = try JSONDecoder().decode(
      AdapterConfiguration.self, from: JSONSerialization.data(withJSONObject: object))
    #expect(old == AdapterConfiguration(rank: 3))
  }

  /// PEFT: A by `kaiming_uniform_(a=√5)`, that is uniform in ±√(6 / ((1 + 5) · in)); B zero.
  ///
  /// The mean of n squares of such numbers has the relative standard deviation √(0.8 / n): five of
  /// them are allowed.
  @Test func aNewAdapterIsInitialisedAsInPEFT() {
    let arena = Arena()
    let adapter = AdapterTensors<Float>(
      layout: AdapterLayout(
        .init(rank: 64, rankPattern: ["mlp.*": 32]), architecture: TinyModel.architecture),
      arena: arena, for: .adapter)
    adapter.initialize(seed: 5)
    for entry in adapter.layout.entries {
      let bound = (6 / (6 * Double(entry.input))).squareRoot()
      let values = adapter.down(entry).elements.map(Double.init)
      #expect(values.allSatisfy { abs($0) <= bound })
      let square = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
      let allowed = 5 * (0.8 / Double(values.count)).squareRoot()
      #expect(abs(square / (bound * bound / 3) - 1) < allowed, "\(entry.downName)")
      #expect(adapter.up(entry).elements.allSatisfy { $0 == 0 })
    }
  }
}

import Foundation
import Storage
import Weights

/// `adapter_config.json` with PEFT's keys.
struct PEFTConfiguration: Codable {
  /// Module names, or one pattern.
  enum Modules: Codable {
    case names([String])
    case pattern(String)

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let names = try? container.decode([String].self) {
        self = .names(names)
      } else {
        self = .pattern(try container.decode(String.self))
      }
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .names(let names): try container.encode(names)
      case .pattern(let pattern): try container.encode(pattern)
      }
    }
  }

  var base_model_name_or_path: String?
  var peft_type: String
  var task_type: String?
  var r: Int
  var lora_alpha: Double
  var lora_dropout: Double?
  var bias: String?
  var fan_in_fan_out: Bool?
  var use_rslora: Bool?
  var use_dora: Bool?
  var target_modules: Modules
  var rank_pattern: [String: Int]?
  var alpha_pattern: [String: Double]?
  var modules_to_save: [String]?
  var inference_mode: Bool?

  /// Reads the configuration at `path`. Throws ``WeightError`` naming the field.
  static func read(_ path: String) throws(WeightError) -> AdapterConfiguration {
    guard let data = MappedFile.contents(path) else {
      throw WeightError(path: path, "cannot be read")
    }
    let file: PEFTConfiguration
    do {
      file = try JSONDecoder().decode(PEFTConfiguration.self, from: Data(data))
    } catch DecodingError.keyNotFound(let key, _) {
      throw WeightError(path: path, "field '\(key.stringValue)' is missing")
    } catch DecodingError.typeMismatch(_, let context) {
      let key = context.codingPath.map(\.stringValue).joined(separator: ".")
      throw WeightError(path: path, "field '\(key)' has another type than expected")
    } catch {
      throw WeightError(path: path, "not valid JSON")
    }
    func refuse(_ problem: String) -> WeightError { WeightError(path: path, problem) }
    guard file.peft_type == "LORA" else {
      throw refuse("peft_type: expected LORA, found '\(file.peft_type)'")
    }
    guard ([file.r] + (file.rank_pattern ?? [:]).values).allSatisfy((1...65536).contains) else {
      throw refuse("r and rank_pattern: expected 1 to 65536")
    }
    guard file.use_dora != true else { throw refuse("use_dora: true is not supported") }
    guard file.bias ?? "none" == "none" else { throw refuse("bias: expected none") }
    guard file.fan_in_fan_out != true else { throw refuse("fan_in_fan_out: true is not supported") }
    guard (file.modules_to_save ?? []).isEmpty else {
      throw refuse("modules_to_save: is not supported")
    }
    let dropout = file.lora_dropout ?? 0
    guard dropout >= 0, dropout < 1 else {
      throw refuse("lora_dropout: expected 0 or more and less than 1")
    }
    do {
      _ = try ModulePatterns((file.rank_pattern ?? [:]).map { ($0.key, $0.value) })
      _ = try ModulePatterns((file.alpha_pattern ?? [:]).map { ($0.key, $0.value) })
    } catch {
      throw refuse("rank_pattern and alpha_pattern: \(error)")
    }
    let kinds: [LinearKind]
    switch file.target_modules {
    case .pattern("all-linear"): kinds = LinearKind.allCases
    case .pattern(let pattern):
      // PEFT matches the whole name of a module. What a pattern says of a block holds for all here:
      // where it does not, tensors are missing or left over.
      let expression = try? Regex(pattern)
      kinds = LinearKind.allCases.filter { kind in
        let name = AdapterConfiguration.moduleName(layer: 0, kind: kind)
        return kind.isNamed(pattern)
          || expression.map { (try? $0.wholeMatch(in: name)) != nil } == true
      }
    case .names(let names):
      for name in names where !LinearKind.allCases.contains(where: { $0.isNamed(name) }) {
        throw refuse("target_modules: '\(name)' is none of the seven linears")
      }
      kinds = LinearKind.allCases.filter { kind in names.contains { kind.isNamed($0) } }
    }
    guard !kinds.isEmpty else { throw refuse("target_modules: names no linear of the model") }
    return AdapterConfiguration(
      rank: file.r, alpha: file.lora_alpha, targetModules: kinds,
      useRSLoRA: file.use_rslora ?? false, rankPattern: file.rank_pattern ?? [:],
      alphaPattern: file.alpha_pattern ?? [:], dropout: dropout)
  }

  /// Writes `configuration` to `path`, in one piece or not at all.
  static func write(
    _ configuration: AdapterConfiguration, base: String, to path: String
  ) throws(WeightError) {
    let file = PEFTConfiguration(
      base_model_name_or_path: base, peft_type: "LORA", task_type: "CAUSAL_LM",
      r: configuration.rank, lora_alpha: configuration.alpha,
      lora_dropout: configuration.dropout, bias: "none",
      fan_in_fan_out: false, use_rslora: configuration.useRSLoRA, use_dora: false,
      target_modules: .names(configuration.targetModules.map(\.moduleName)),
      rank_pattern: configuration.rankPattern, alpha_pattern: configuration.alphaPattern,
      inference_mode: true)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      try AtomicFile.write([UInt8](try encoder.encode(file)), to: path)
    } catch let error as FileError {
      throw WeightError(path: path, error.problem)
    } catch {
      throw WeightError(path: path, "cannot be written as JSON")
    }
  }
}

extension LinearKind {
  /// Whether PEFT's module name, or a dotted end of the full name, means this linear.
  func isNamed(_ name: String) -> Bool {
    name == moduleName || name == rawValue || name.hasSuffix("." + rawValue)
  }
}

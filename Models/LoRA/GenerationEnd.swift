private import Foundation
import Storage
public import Weights

/// Where what an adapter says ends: `generation_config.json` beside it, with Hugging Face's keys.
///
/// A run whose responses all end with a line feed writes `"stop_strings": ["\n"]`: its adapter has
/// learned to end there, and goes on with another answer behind it.
public struct GenerationEnd: Equatable, Sendable {
  /// `stop_strings`: texts at which generation ends.
  public var stopStrings: [String]
  /// `eos_token_id`: ids at which it ends, besides the model's.
  public var endIds: [Int32]

  /// Both.
  public init(stopStrings: [String], endIds: [Int32] = []) {
    self.stopStrings = stopStrings
    self.endIds = endIds
  }

  /// The end that `responses`, the texts that a run trains, have in common; nil of none.
  public init?(ofResponses responses: [[UInt8]]) {
    let isLine = responses.allSatisfy { $0.last == 0x0a && !$0.dropLast().contains(0x0a) }
    guard isLine, !responses.isEmpty else { return nil }
    self.init(stopStrings: ["\n"])
  }

  private static func path(_ folder: String) -> String { folder + "/generation_config.json" }

  /// What stands beside the adapter in `folder`; nil where there is nothing.
  ///
  /// Throws ``WeightError`` where the file is not what it should be.
  public init?(folder: String) throws(WeightError) {
    guard let data = MappedFile.contents(Self.path(folder)) else { return nil }
    do {
      let content = try JSONDecoder().decode(Content.self, from: Data(data))
      let ids = content.eos_token_id?.values ?? []
      guard ids.allSatisfy({ $0 >= 0 }) else {
        throw WeightError(path: Self.path(folder), "'eos_token_id': expected ids")
      }
      self.init(
        stopStrings: (content.stop_strings?.values ?? []).filter { !$0.isEmpty }, endIds: ids)
    } catch let error as WeightError {
      throw error
    } catch {
      throw WeightError(
        path: Self.path(folder),
        "expected an object with 'stop_strings' (texts) or 'eos_token_id' (ids)")
    }
  }

  /// Writes it beside the adapter in `folder`. Throws ``WeightError`` where it cannot.
  public func write(to folder: String) throws(WeightError) {
    let content = Content(
      stop_strings: OneOrMore(values: stopStrings),
      eos_token_id: endIds.isEmpty ? nil : OneOrMore(values: endIds))
    do {
      try AtomicFile.write(json: content, to: Self.path(folder))
    } catch {
      throw WeightError(path: Self.path(folder), error.problem)
    }
  }

  /// Removes what stands beside the adapter in `folder`. Throws ``WeightError`` where it cannot.
  public static func remove(_ folder: String) throws(WeightError) {
    do {
      try AtomicFile.remove(path(folder))
    } catch {
      throw WeightError(path: path(folder), error.problem)
    }
  }

  // Hugging Face's keys.
  private struct Content: Codable {
    var stop_strings: OneOrMore<String>?
    var eos_token_id: OneOrMore<Int32>?
  }

  private struct OneOrMore<Value: Codable>: Codable {
    var values: [Value]

    init(values: [Value]) { self.values = values }

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      values = try (try? container.decode([Value].self)) ?? [container.decode(Value.self)]
    }

    func encode(to encoder: any Encoder) throws { try values.encode(to: encoder) }
  }
}

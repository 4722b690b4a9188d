import Foundation
import Storage
public import Weights

/// A teacher's answers on disk, so that they are decoded once for a model and its tasks.
///
/// JSON Lines, a row for each part that was decoded: what is interrupted or killed goes on behind the
/// last whole row, and of runs that decode the same at once each adds its own.
public struct TeacherCache: Sendable {
  private struct Row: Codable {
    var key: String
    /// The place of the first answer.
    var from: Int
    var answers: [[Int32]]
  }

  /// The file.
  public let path: String
  private let key: String

  /// The cache at `path` of the model, tasks and settings that `key` stands for.
  public init(path: String, key: String) {
    self.path = path
    self.key = key
  }

  /// The answers to `count` questions; nil for those that are missing, damaged, of something else or
  /// have ids outside a vocabulary of `vocabularySize`.
  public func read(count: Int, vocabularySize: Int) -> [[Int32]?] {
    var answers = [[Int32]?](repeating: nil, count: count)
    for line in (MappedFile.contents(path) ?? []).split(separator: UInt8(ascii: "\n")) {
      guard let row = try? JSONDecoder().decode(Row.self, from: Data(line)), row.key == key,
        row.from >= 0, row.from <= count, row.answers.count <= count - row.from,
        row.answers.joined().allSatisfy({ $0 >= 0 && Int($0) < vocabularySize })
      else { continue }
      for (place, answer) in row.answers.enumerated() { answers[row.from + place] = answer }
    }
    return answers
  }

  /// Adds `answers`, the first of which has the place `from`.
  ///
  /// Throws ``WeightError`` where the file cannot be written.
  public func append(_ answers: [[Int32]], from: Int) throws(WeightError) {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      let row = try encoder.encode(Row(key: key, from: from, answers: answers))
      // What a killed process left of a row ends here.
      let mark = [UInt8(ascii: "\n")]
      try AppendedFile.append(mark + row + mark, to: path)
    } catch let error as FileError {
      throw WeightError(path: path, error.problem)
    } catch {
      throw WeightError(path: path, "cannot be written as JSON")
    }
  }
}

/// Why a weight file cannot be read or written: one line for the user.
public struct WeightError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The file.
  public var path: String
  /// What is wrong: the field and what was expected.
  public var problem: String

  /// `problem` in the file at `path`.
  public init(path: String, _ problem: String) {
    self.path = path
    self.problem = problem
  }

  /// `path: problem`
  public var description: String { "\(path): \(problem)" }
}

/// Why an experiment cannot be read or run.
public struct ExperimentError: Error, CustomStringConvertible, Equatable {
  /// One line.
  public let description: String

  /// An error that says `description`.
  public init(_ description: String) { self.description = description }
}

import Invocation

/// Why an experiment cannot be read or run.
public struct ExperimentError: Error, CustomStringConvertible, Equatable {
  /// One line.
  public let description: String

  /// `place` and that `name` is none of the `known` ones; says which it was probably meant to be.
  static func unknown(_ place: String, _ name: String, _ known: [String]) -> ExperimentError {
    let names = known.isEmpty ? "none" : known.joined(separator: ", ")
    return ExperimentError(
      "\(place)'\(name)' is none of \(names)" + NearestName.hint(name, among: known))
  }

  /// An error that says `description`.
  public init(_ description: String) { self.description = description }
}

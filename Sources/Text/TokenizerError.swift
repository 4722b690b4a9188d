/// Why a tokenizer cannot be read: one line naming the field and what was expected.
public struct TokenizerError: Error, CustomStringConvertible, Sendable, Equatable {
  /// What is wrong.
  public let description: String

  /// `description` as the line.
  public init(_ description: String) { self.description = description }
}

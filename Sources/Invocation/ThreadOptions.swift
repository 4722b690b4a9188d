public import ArgumentParser

/// How many threads a command uses.
public struct ThreadOptions: ParsableArguments {
  /// Nil for as many as there are processors.
  @Option(name: .customLong("threads"), help: "Threads, 1 to 1024 (default: all processors).")
  public var count: Int?

  /// All processors.
  public init() {}

  /// Throws where there are none or more than the kernels take.
  public func validate() throws {
    if let count, !(1...1024).contains(count) {
      throw ValidationError("--threads must be 1 to 1024.")
    }
  }
}

public import ArgumentParser
import Foundation

/// How much a command says besides its result.
public struct Verbosity: ParsableArguments {
  /// Nothing.
  @Flag(name: .shortAndLong, help: "Print nothing but results and errors.")
  public var quiet = false

  /// What was read, too.
  @Flag(name: .shortAndLong, help: "Say on standard error what was read.")
  public var verbose = false

  /// Neither.
  public init() {}

  /// Throws where both are given.
  public func validate() throws {
    if quiet, verbose { throw ValidationError("--quiet and --verbose exclude each other.") }
  }

  /// Writes `text` as a line on standard error where it is asked for.
  public func note(_ text: @autoclosure () -> String) {
    if verbose { FileHandle.standardError.write(Data((text() + "\n").utf8)) }
  }
}

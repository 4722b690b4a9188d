import ArgumentParser
import Foundation

/// An error of the command line's own, as one line.
struct Problem: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Runs `body`; its errors become one line on standard error and exit code 1.
func reportingErrors(_ body: () throws -> Void) throws {
  do {
    try body()
  } catch let error as ExitCode {
    throw error
  } catch let error as ValidationError {
    throw error
  } catch {
    FileHandle.standardError.write(Data("imprint-bench: \(error)\n".utf8))
    throw ExitCode(1)
  }
}

/// Prints a line at once: what takes an hour is watched in a file, too.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

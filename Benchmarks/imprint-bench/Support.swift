import ArgumentParser
import Foundation

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

public import ArgumentParser
import Foundation
import Storage

#if canImport(Glibc)
  import Glibc
#endif

/// The main function of an executable.
public enum Program {
  /// The variable of the environment that has a command line read and checked, and nothing done.
  public static let checkOnly = "IMPRINT_CHECK_ONLY"

  /// The version of all three executables, which runs record.
  public static let version = "0.1.0"

  /// The executable's name, as it was called.
  static let name = URL(filePath: CommandLine.arguments.first ?? "imprint").lastPathComponent

  /// Reads the process's command line, with the files of `--config`, for `root` and runs it.
  ///
  /// Exits with 64 where the command line is wrong and with 1 where a file is.
  public static func run<Root: ParsableCommand>(_ root: Root.Type) async {
    takeSuitableKernels()
    var files: [String] = []
    do {
      let words: [String]
      do {
        let invocation = try Invocation(root, Array(CommandLine.arguments.dropFirst()))
        (words, files) = (invocation.words, invocation.files)
      } catch {
        note("\(Root._commandName): \(error)")
        throw ExitCode(1)
      }
      var command = try Root.parseAsRoot(words)
      files = []
      if ProcessInfo.processInfo.environment[checkOnly] != nil { return }
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      if !files.isEmpty, Root.exitCode(for: error) == .validationFailure {
        note("\(Root._commandName): with the flags of \(files.joined(separator: ", ")):")
      }
      Root.exit(withError: error)
    }
  }

  /// Starts this process again with ``BLAS/kernelVariable`` set, where it is not set and OpenBLAS
  /// missed the processor: it chooses when it is loaded, before any line of ours.
  private static func takeSuitableKernels() {
    guard getenv(BLAS.kernelVariable) == nil, let name = BLAS.missedKernelName,
      let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    else { return }
    setenv(BLAS.kernelVariable, name, 1)
    execv(executable, CommandLine.unsafeArgv)
    // Refused: slow is better than not at all.
  }
}

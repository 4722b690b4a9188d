import Foundation

/// Python, where it is there: a second reader of what we write.
public enum Python {
  /// The packages that second readers need.
  public static let packages = ["gguf", "numpy", "safetensors"]

  /// `IMPRINT_PYTHON`, the environment that `make readers` sets up, or the system's.
  public static let executable: String = {
    if let path = ProcessInfo.processInfo.environment["IMPRINT_PYTHON"] { return path }
    let own = Fixtures.root + ".cache/venv-readers/bin/python"
    return FileManager.default.isExecutableFile(atPath: own) ? own : "python3"
  }()

  /// Whether it has ``packages``.
  public static let hasReaders =
    run("import \(packages.joined(separator: ", "))")?.status == 0

  /// Runs a script with `arguments`. Returns nil where there is no Python.
  public static func run(
    _ script: String, _ arguments: String...
  ) -> (status: Int32, output: String)? {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [executable, "-c", script] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    guard (try? process.run()) != nil else { return nil }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
  }
}

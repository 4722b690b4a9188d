import Invocation
import Storage

extension ConfigOptions {
  /// Every flag of this process's command, as a file for `--config`.
  static func write(to path: String) throws {
    let text = try Invocation(Imprint.self, Array(CommandLine.arguments.dropFirst())).resolved()
    try AtomicFile.write(Array(text.utf8), to: path)
  }
}

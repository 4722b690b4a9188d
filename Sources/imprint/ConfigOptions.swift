import Invocation
import Storage

extension ConfigOptions {
  /// Every flag of this process's command, as a file for `--config`.
  static func write(to path: String) throws {
    let text = try Invocation(Imprint.self, Array(CommandLine.arguments.dropFirst())).resolved()
    let file = try AtomicFile(path: path)
    try file.append(text)
    try file.commit()
  }
}

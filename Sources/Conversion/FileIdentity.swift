import Weights

#if canImport(Glibc)
  private import Glibc
#endif

/// Which file a path leads to, links followed.
struct FileIdentity: Equatable {
  private let device: UInt64
  private let number: UInt64
  private let isFolder: Bool

  /// Nil where there is no such file.
  private init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
    isFolder = status.st_mode & S_IFMT == S_IFDIR
  }

  /// Throws ``WeightError`` where `output` is a folder or the same file as one of `sources`.
  static func refuse(_ output: String, among sources: [String]) throws(WeightError) {
    guard let target = FileIdentity(output) else { return }
    guard !target.isFolder else {
      throw WeightError(path: output, "is a folder: expected the path of a file")
    }
    if let source = sources.first(where: { FileIdentity($0) == target }) {
      throw WeightError(path: output, "is the same file as the source \(source)")
    }
  }
}

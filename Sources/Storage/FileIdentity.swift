#if canImport(Glibc)
  private import Glibc
#endif

/// Which file a path leads to, links followed.
package struct FileIdentity: Equatable {
  private let device: UInt64
  private let number: UInt64
  /// Whether it is a folder.
  package let isFolder: Bool
  /// Whether it is neither a folder nor a pipe, a device or the like.
  package let isRegular: Bool

  /// Nil where there is no such file.
  package init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
    isFolder = status.st_mode & S_IFMT == S_IFDIR
    isRegular = status.st_mode & S_IFMT == S_IFREG
  }

  /// Throws ``FileError`` where `output` is a folder or the same file as one of `sources`.
  package static func refuse(_ output: String, among sources: [String]) throws(FileError) {
    guard let target = FileIdentity(output) else { return }
    guard !target.isFolder else {
      throw FileError(path: output, "is a folder: expected the path of a file")
    }
    if let source = sources.first(where: { FileIdentity($0) == target }) {
      throw FileError(path: output, "is the same file as the source \(source)")
    }
  }
}

private import Foundation

extension [String] {
  /// Names for the files at these paths: without folders and endings where these tell them apart, else
  /// the paths.
  package var fileNames: [String] {
    let names = map { URL(filePath: $0).deletingPathExtension().lastPathComponent }
    return Set(names).count == count ? names : self
  }
}

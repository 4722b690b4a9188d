import Foundation
import Storage

/// Throws an error that names the file where `output` is one of those that the command reads:
/// `sources`, or what is in them where they are folders.
public func refuseOverwriting(_ output: String?, of sources: [String?]) throws {
  guard let output, output != "-" else { return }
  let files = sources.compactMap(\.self).flatMap { path in
    (try? FileManager.default.contentsOfDirectory(atPath: path))?.map { "\(path)/\($0)" } ?? [path]
  }
  try FileIdentity.refuse(output, among: files)
}

import Foundation

/// The error that `body` throws, as text; `no error` where it throws none.
public func errorText(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch {
    return "\(error)"
  }
}

extension TemporaryFolder {
  /// The same, files of the folder by their names alone.
  public func errorText(_ body: () throws -> Void) -> String {
    TestSupport.errorText(body).replacingOccurrences(of: path + "/", with: "")
  }
}

import Foundation

/// Where test files find their data.
public enum Fixtures {
  /// The folder `Tests/Fixtures`.
  public static let folder =
    URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().path(percentEncoded: false) + "Fixtures/"
  /// The root of the checkout.
  public static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path(percentEncoded: false)
  /// Real data for development beside the checkout, where present.
  public static let sharedData: String? = {
    let path = root + "../shared/data"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()

  /// The path of a fixture.
  public static func path(_ name: String) -> String { folder + name }
}

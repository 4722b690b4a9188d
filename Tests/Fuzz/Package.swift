// swift-tools-version: 6.2
import PackageDescription

/// Coverage-guided fuzzing of every reader: `make fuzz` in the folder two above. A package of its own,
/// because libFuzzer brings the main function.
let package = Package(
  name: "fuzz",
  dependencies: [.package(name: "imprint", path: "../..")],
  targets: [
    .target(
      name: "FuzzEntry", dependencies: [.product(name: "FuzzTargets", package: "imprint")]),
    .executableTarget(name: "fuzz", dependencies: ["FuzzEntry"]),
  ]
)

// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "adapt-text",
  dependencies: [
    .package(name: "imprint", path: "../../..")
  ],
  targets: [
    .executableTarget(
      name: "adapt-text", dependencies: [.product(name: "MetaLearning", package: "imprint")])
  ]
)

// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: warnings are errors, imports are explicit.
let swift: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

let argumentParser: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")

func library(
  _ name: String, path: String? = nil, _ dependencies: [Target.Dependency] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", swiftSettings: swift)
}

func executable(
  _ name: String, path: String, _ dependencies: [Target.Dependency]
) -> Target {
  .executableTarget(
    name: name, dependencies: dependencies + [argumentParser], path: path, swiftSettings: swift)
}

func test(
  _ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []
) -> Target {
  .testTarget(
    name: name, dependencies: dependencies + ["TestSupport"], path: "Tests/\(name)",
    resources: resources, swiftSettings: swift)
}

let package = Package(
  name: "imprint",
  products: [
    // The weight file; the model with tokenizer and adapters; meta-learning. Each with what its
    // interface takes and gives.
    .library(name: "Weights", targets: ["Weights", "Storage"]),
    .library(
      name: "Llama", targets: ["Llama", "LoRA", "Operations", "Text", "Weights", "Storage"]),
    .library(
      name: "MetaLearning",
      targets: [
        "MetaLearning", "Optimizers", "Llama", "LoRA", "Operations", "Text", "Weights", "Storage",
      ]),
    // For the package in `Tests/Fuzz` alone.
    .library(name: "FuzzTargets", targets: ["FuzzTargets"]),
    .executable(name: "imprint", targets: ["imprint"]),
    .executable(name: "imprint-tools", targets: ["imprint-tools"]),
    .executable(name: "imprint-bench", targets: ["imprint-bench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // Level 0: C.
    .systemLibrary(
      name: "COpenBLAS", path: "Sources/COpenBLAS", pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(
      name: "CLZ4", path: "Sources/CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .target(name: "CKernels", path: "Sources/CKernels"),
    .target(name: "CCodec", path: "Sources/CCodec"),
    .target(name: "CFaults", path: "Sources/CFaults"),

    // Level 1: memory, files, cores.
    library("Storage", ["COpenBLAS", "CKernels", "CFaults"]),

    // Level 2: weights, text.
    library("Weights", ["Storage", "CCodec", "CLZ4"]),
    library("Text", ["Storage"]),

    // Level 3: operations.
    library("Operations", ["Storage", "CKernels", "Weights"]),

    // Level 4: optimisers, adapters.
    library("Optimizers", ["Storage", "Operations"]),
    library("LoRA", path: "Models/LoRA", ["Storage", "Operations", "Weights"]),

    // Level 5: conversion, the model.
    library("Conversion", ["Weights", "Text", "Storage", "CCodec", "LoRA", "Operations"]),
    library("Llama", path: "Models/Llama", ["Storage", "Operations", "Weights", "LoRA"]),

    // Level 6: the method.
    library(
      "MetaLearning",
      ["Storage", "Operations", "Weights", "Text", "Optimizers", "LoRA", "Llama", "CCodec"]),

    // Level 7: what people see of a run, measurements.
    library("Watching", ["MetaLearning", "Storage", "CCodec"]),
    library(
      "BenchmarkSuites", path: "Benchmarks/BenchmarkSuites",
      [
        "MetaLearning", "Llama", "LoRA", "Operations", "Optimizers", "Storage", "Text", "Weights",
        "CCodec", "CLZ4",
      ]),

    // Level 8: command lines and files of flags.
    .target(
      name: "Invocation",
      dependencies: [
        argumentParser, .product(name: "Yams", package: "Yams"), "Storage", "Watching",
      ],
      path: "Sources/Invocation", swiftSettings: swift),

    // Level 9: experiments.
    library(
      "Experiments", path: "Benchmarks/ExperimentHarness",
      ["MetaLearning", "Storage", "Invocation", .product(name: "Yams", package: "Yams")]),

    // Level 10: flags to parameters.
    executable(
      "imprint", path: "Sources/imprint",
      [
        "Invocation", "Watching", "MetaLearning", "Llama", "LoRA", "Operations", "Optimizers",
        "Storage", "Text", "Weights",
      ]),
    executable(
      "imprint-tools", path: "Tools/imprint-tools",
      [
        "Conversion", "Weights", "Text", "Storage", "LoRA", "MetaLearning", "Watching",
        "Invocation",
      ]),
    executable(
      "imprint-bench", path: "Benchmarks/imprint-bench",
      [
        "BenchmarkSuites", "Experiments", "Invocation", "MetaLearning", "Llama", "LoRA",
        "Operations", "Storage", "Text", "Weights",
      ]),

    // The example of another package, built and run by the tests.
    .executableTarget(
      name: "adapt-text", dependencies: ["MetaLearning", "Llama", "Text", "Weights"],
      path: "Docs/examples/adapt-text/Sources/adapt-text", swiftSettings: swift),

    // Tests.
    .target(
      name: "TestSupport",
      dependencies: [
        "MetaLearning", "Llama", "LoRA", "Operations", "Weights", "Storage", "CCodec",
      ], path: "Tests/TestSupport",
      swiftSettings: swift),
    .target(
      name: "FuzzTargets",
      dependencies: [
        "Conversion", "LoRA", "MetaLearning", "Storage", "Text", "Weights", "CCodec",
      ], path: "Tests/FuzzTargets", swiftSettings: swift),
    test(
      "FuzzTests",
      [
        "FuzzTargets", "Weights", "Text", "Storage", "LoRA", "Llama", "MetaLearning", "Conversion",
        "Optimizers",
      ]),
    test("StorageTests", ["Storage"]),
    test("OperationsTests", ["Operations", "Storage", "CKernels"]),
    test("WeightsTests", ["Weights", "Storage", "CCodec"]),
    test("TextTests", ["Text"]),
    test(
      "ConversionTests",
      ["Conversion", "Weights", "Text", "LoRA", "Llama", "Operations", "Storage"]),
    test("LoRATests", ["LoRA", "Weights", "Storage"]),
    test("LlamaTests", ["Llama", "LoRA", "Operations", "Weights", "Storage"]),
    test(
      "MetaLearningTests",
      ["MetaLearning", "Llama", "LoRA", "Operations", "Weights", "Storage", "Optimizers"]),
    test("ExperimentsTests", ["Experiments"]),
    test("InvocationTests", ["Invocation", argumentParser]),
    test("WatchingTests", ["Watching", "MetaLearning", "Storage", "CCodec"]),
    test(
      "ToolTests",
      [
        "imprint", "imprint-tools", "imprint-bench", "adapt-text", "BenchmarkSuites",
        "MetaLearning", "Storage", "Weights", "Text",
      ]),
  ],
  cLanguageStandard: .c17
)

import ArgumentParser
import Foundation
import Invocation
import Weights

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a weight file holds: architecture, tensors, types and ratios.",
    discussion: "Example: imprint-tools inspect smollm2.imprint --json")

  @OptionGroup var config: ConfigOptions

  @Argument(help: "The weight file.")
  var file: String

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  struct Report: Encodable {
    struct Tensor: Encodable {
      var name: String
      var type: String
      var shape: [Int]
      var blocks: Int
      var rawBytes: Int
      var storedBytes: Int
    }

    var architecture: Architecture
    var parameters: Int
    var rawBytes: Int
    var storedBytes: Int
    var hasTokenizer: Bool
    var fingerprint: String
    var tensors: [Tensor]
  }

  func run() throws {
    try reportingErrors {
      let weights = try WeightFile(path: file)
      verbosity.note(weights.summary)
      let tensors = weights.tensors.map {
        Report.Tensor(
          name: $0.name, type: $0.type.label, shape: [$0.rows, $0.columns], blocks: $0.blockCount,
          rawBytes: $0.rows * $0.description.rowBytes, storedBytes: $0.storedBytes)
      }
      let report = Report(
        architecture: weights.architecture,
        parameters: tensors.reduce(0) { $0 + $1.shape[0] * $1.shape[1] },
        rawBytes: tensors.reduce(0) { $0 + $1.rawBytes },
        storedBytes: tensors.reduce(0) { $0 + $1.storedBytes },
        hasTokenizer: try weights.tokenizerData() != nil,
        fingerprint: "\(weights.fingerprint)", tensors: tensors)
      if json {
        try printJSON(report)
      } else {
        show(report)
      }
    }
  }

  private func show(_ report: Report) {
    let a = report.architecture
    print(
      """
      \(a.modelType): \(a.numHiddenLayers) layers, hidden \(a.hiddenSize), \
      \(a.numAttentionHeads) heads / \(a.numKeyValueHeads) key-value of \(a.headDim), \
      intermediate \(a.intermediateSize), vocabulary \(a.vocabSize), \
      \(a.tieWordEmbeddings ? "tied" : "untied") head
      positions \(a.maxPositionEmbeddings), rope theta \(a.ropeTheta), RMSNorm epsilon \
      \(a.rmsNormEps)
      \(rounded(Double(report.parameters) / 1e6, 1)) M parameters, \
      \(mebibytes(report.rawBytes)) → \(mebibytes(report.storedBytes)) \
      (ratio \(rounded(Double(report.storedBytes) / Double(report.rawBytes), 3))), \
      \(report.hasTokenizer ? "with" : "without") tokenizer

      """)
    for tensor in report.tensors {
      let ratio = rounded(Double(tensor.storedBytes) / Double(tensor.rawBytes), 3)
      let shape = "\(tensor.shape[0]) × \(tensor.shape[1])"
      print(
        padded(tensor.name, 48), padded(tensor.type, 5), padded(shape, 14),
        padded("\(tensor.blocks) blocks", 12), ratio)
    }
  }
}

import ArgumentParser
import BenchmarkSuites
import Foundation
import Invocation
import Storage
import Weights

/// One case of ``MemoryRank``, in the process that is measured.
struct MemoryCase: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train as one case of memory-rank says and print what it took.", shouldDisplay: false)

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "The case, as JSON.")
  var training: String

  @Option(help: "Measured steps.")
  var steps = 3

  @Option(help: "Steps before them.")
  var warmUp = 1

  @Option(help: "No further step once the measured ones took so long.")
  var seconds = 20.0

  @OptionGroup var threads: ThreadOptions

  func run() throws {
    try reportingErrors {
      let training = try JSONDecoder().decode(TrainingCase.self, from: Data(training.utf8))
      let measurement = try training.measure(
        file: try WeightFile(path: model), steps: steps, warmUp: warmUp, seconds: seconds,
        workers: Workers(count: threads.count))
      print(String(decoding: try JSONEncoder().encode(measurement), as: UTF8.self))
    }
  }
}

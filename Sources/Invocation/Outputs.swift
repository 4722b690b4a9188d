import Foundation
import Storage

/// Throws an error that names the file where `output` is one of those that the command reads:
/// `sources`, or what a run or an adapter consists of where they are folders.
public func refuseOverwriting(_ output: String?, of sources: [String?]) throws {
  guard let output, output != "-" else { return }
  let files = sources.compactMap(\.self).flatMap { path in
    [path] + filesOfRuns(in: path).map { "\(path)/\($0)" }
  }
  try FileIdentity.refuse(output, among: files)
}

/// What of the folder `path` belongs to a run or an adapter.
private func filesOfRuns(in path: String) -> [String] {
  let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
  let known: Set = [
    "config.json", "run.yaml", "memory.json", "metrics.jsonl", "held_out.jsonl",
    "adapter_config.json", "adapter_model.safetensors", "generation_config.json",
    "inner_rates.json", "model.imprint",
  ]
  return names.filter { known.contains($0) || $0.hasPrefix("checkpoint-") }
}

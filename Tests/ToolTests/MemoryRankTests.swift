import BenchmarkSuites
import Foundation
import MetaLearning
import TestSupport
import Testing
import Weights

/// The benchmark of memory against rank, its fit, and the files it writes.
@Suite struct MemoryRankTests {
  private func measurement(
    rank: Int, inner: InnerStep = .lora, context: Int = 128, parameters: Int, peak: Int
  ) -> TrainingMeasurement {
    var result = TrainingMeasurement(
      TrainingCase(inner: inner, rank: rank, contextTokens: context), failure: "")
    result.failure = nil
    result.adapterParameters = parameters
    result.peakAnonymous = peak
    result.plan = ["adapter": 4 * parameters, "block buffers": 1000]
    return result
  }

  @Test func fitFindsTheLine() throws {
    let measurements = [1, 2, 8, 64].map {
      measurement(rank: $0, parameters: 1000 * $0, peak: 5_000_000 + 17_000 * $0)
    }
    let other = measurement(rank: 8, inner: .full, parameters: 8000, peak: 1)
    let fits = MemoryRankFit.fits(measurements + [other])
    #expect(fits.count == 1)
    let fit = try #require(fits.first)
    #expect(fit.ranks == 4)
    #expect(abs(fit.bytesPerParameter - 17) < 1e-9)
    #expect(abs(fit.intercept - 5_000_000) < 1e-3)
    #expect(fit.largestResidual < 1e-12)
    #expect(fit.planned.map(\.component) == ["adapter"])
    #expect(abs((fit.planned.first?.bytesPerParameter ?? 0) - 4) < 1e-12)
  }

  @Test func fitLeavesOutWhatWasNotRun() {
    var refused = measurement(rank: 4, parameters: 4000, peak: 9)
    refused.refusal = "no"
    var budgeted = measurement(rank: 4, parameters: 4000, peak: 9)
    budgeted.training.budget = 1 << 30
    let one = measurement(rank: 1, parameters: 1000, peak: 10)
    #expect(MemoryRankFit.fits([one, refused, budgeted]).isEmpty)
  }

  @Test func gridHasEveryCaseOnce() {
    let grid = MemoryRankGrid(
      ranks: [1, 2, 2], variants: [(.lora, .lora), (.lora, .full), (.full, .full)],
      contexts: [32, 64], contextsPerUpdate: [1, 4], queryTokens: 32, budgets: [1 << 20, 2 << 20],
      sweep: (8, 128, 8))
    let cases = grid.cases
    #expect(Set(cases).count == cases.count)
    #expect(cases.filter { $0.budget == nil && $0.outer == .lora }.count == 2 * 2 * 2 * 2)
    #expect(cases.filter { $0.outer == .full }.count == 2 * 2)
    #expect(cases.filter { $0.budget != nil }.count == 2 * 2)
  }

  @Test func runsResumesAndSaysWhatItSkips() throws {
    let folder = try TemporaryFolder()
    let model = folder.file("tiny.imprint")
    let made = try Tool.run(
      "imprint-tools", "synthesize", "--architecture", TinyModel.folder, model, "--quiet")
    #expect(made.status == 0 && made.output.isEmpty, "\(made.errors)")
    let out = folder.file("out")
    let arguments = [
      "memory-rank", "--model", model, "--out", out, "--ranks", "1,4", "--contexts", "16",
      "--contexts-per-update", "2", "--query", "12", "--budgets", "1,256", "--sweep-context", "16",
      "--variants", "lora", "full-outer", "--steps", "2",
    ]
    let first = try Tool.run("imprint-bench", arguments)
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.output.contains("[1/5] LoRA outer, LoRA inner, rank 1, context 16, K 2"))
    #expect(first.output.contains("[3/5] full outer"))
    #expect(first.output.contains("1 MiB: skipped: needs at least"))
    #expect(first.output.contains("K 2: ") && first.output.contains("over 2 ranks"))
    let csv = try String(contentsOfFile: out + "/results.csv", encoding: .utf8)
    let rows = csv.split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    #expect(rows.count == 1 + 4 && rows.allSatisfy { $0.count == rows[0].count })
    #expect(rows[0][13] == "peak_rss_anon_bytes" && (Int(rows[1][13]) ?? 0) > 1 << 20)
    let again = try Tool.run("imprint-bench", arguments)
    #expect(again.output.components(separatedBy: "(known)").count == 1 + 4)
    #expect(try String(contentsOfFile: out + "/results.csv", encoding: .utf8).count == csv.count)

    let other = folder.file("other.imprint")
    _ = try Tool.run(
      "imprint-tools", "synthesize", "--architecture", TinyModel.folder, other, "--layers", "1")
    let mixed = try Tool.run(
      "imprint-bench", "memory-rank", "--model", other, "--out", out, "--ranks", "1")
    #expect(mixed.status == 1 && mixed.errors.contains("another model, tiny.imprint"))
    let usage = try Tool.run(
      "imprint-bench", "memory-rank", "--model", other, "--out", out, "--ranks", "0,1")
    #expect(usage.status == 64 && usage.errors.contains("--ranks"))
  }

  /// Training in processes of its own: RssAnon, sampled, is never above a budget, and within a tenth
  /// of the leanest plan. A plan that keeps blocks has buffers besides that are not touched where
  /// nothing is computed again, a few MiB at this size: within a fifth.
  @Test func budgetsAndPlansAreKept() throws {
    let folder = try TemporaryFolder()
    let configuration = """
      {"model_type": "llama", "hidden_size": 256, "intermediate_size": 640,
       "num_hidden_layers": 3, "num_attention_heads": 8, "num_key_value_heads": 4,
       "vocab_size": 2000, "max_position_embeddings": 512, "rms_norm_eps": 1e-05,
       "rope_theta": 10000.0, "tie_word_embeddings": true, "eos_token_id": 0}
      """
    let config = try folder.write(Array(configuration.utf8), "config.json")
    let (model, out) = (folder.file("small.imprint"), folder.file("out"))
    let made = try Tool.run(
      "imprint-tools", "synthesize", "--architecture", config, model, "--quiet")
    #expect(made.status == 0, "\(made.errors)")
    let result = try Tool.run(
      "imprint-bench", "memory-rank", "--model", model, "--out", out, "--ranks", "1,32",
      "--contexts", "128", "--contexts-per-update", "1", "--budgets", "32,64", "--sweep-batch", "2",
      "--variants", "lora", "full", "--steps", "1")
    #expect(result.status == 0, "\(result.errors)")
    let contents = try JSONDecoder().decode(
      MemoryRankStore.Contents.self, from: Data(contentsOf: URL(filePath: out + "/results.json")))
    #expect(contents.measurements.count == 8)
    for measured in contents.measurements {
      let planned = Double(measured.planned)
      let difference = abs(Double(measured.peakAnonymous) - planned) / planned
      if let budget = measured.training.budget {
        #expect(measured.peakAnonymous <= budget, "\(measured)")
        #expect(difference <= 0.2, "\(measured)")
      } else {
        #expect(difference <= 0.1, "\(measured)")
      }
    }
  }

  @Test func unknownArchitectureIsAUsageError() throws {
    let result = try Tool.run(
      "imprint-tools", "synthesize", "--architecture", "llama-9b", "/tmp/never.imprint")
    #expect(result.status == 64 && result.errors.contains("smollm2-135m"))
    let missing = try Tool.run(
      "imprint-tools", "synthesize", "--architecture", "no/config.json", "/tmp/never.imprint")
    #expect(missing.status == 1 && missing.errors.contains("cannot be read"))
  }

  @Test func helpHasExamples() throws {
    for (tool, command) in [("imprint-tools", "synthesize"), ("imprint-bench", "memory-rank")] {
      let result = try Tool.run(tool, command, "--help")
      let words = result.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      #expect(result.status == 0 && words.contains("Example: \(tool) \(command)"), "\(words)")
    }
    let all = try Tool.run("imprint-bench", "--help")
    #expect(!all.output.contains("memory-case") && !all.output.contains("gradient-server"))
  }

  @Test func serverAnswersEveryLine() throws {
    let folder = try TemporaryFolder()
    let model = folder.file("tiny.imprint")
    _ = try Tool.run("imprint-tools", "convert", TinyModel.folder, model, "--quiet")
    let task = """
      {"context_ids": [1,2,3,4,5,6], "query_ids": [2,7], "response_ids": [3], "separator_ids": [1]}
      """
    let tasks = try folder.write(Array(task.utf8), "t.jsonl")
    let out = folder.file("g.safetensors")
    let result = try Tool.run(
      "imprint-bench",
      [
        "gradient-server", "--model", model, "--adapter",
        TinyModel.folder + "/lora_r3.safetensors", "--scale", "2", "--tasks", tasks, "--inner-lr",
        "0.1", "--keep", "0",
      ], input: "step\nstep\nsave \(out)\nhello\n")
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 4 && lines[0].contains("ready") && lines[1].contains("\"seconds\""))
    #expect(result.status == 1 && result.errors.contains("found 'hello'"))
    #expect(try SafetensorsFile(path: out).tensors.count == 28)
  }
}

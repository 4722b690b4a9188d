import Foundation
import TestSupport
import Testing
import Weights

/// `imprint finetune` and the flags of adapters, as users run them.
@Suite(.serialized) struct FinetuneToolTests {
  let folder: TemporaryFolder
  let model: String
  let data: String

  init() throws {
    folder = try TemporaryFolder()
    model = folder.file("tiny.imprint")
    let made = try Tool.run("imprint-tools", "convert", TinyModel.folder, model, "--quiet")
    #expect(made.status == 0, "\(made.errors)")
    let lines = (0..<8).map { index in
      let ids = (0..<12).map { ($0 * 5 + index * 3) % 67 }
      return """
        {"context_ids": [\(ids.map(String.init).joined(separator: ","))], "query_ids": [\(ids[2]), \(ids[7])], "response_ids": [\(ids[3])], "separator_ids": [1]}
        """
    }
    data = try folder.write(Array(lines.joined(separator: "\n").utf8), "t.jsonl")
  }

  func finetune(_ more: [String]) throws -> Tool.Result {
    try Tool.run(
      "imprint",
      ["finetune", "--model", model, "--data", data, "--batch-size", "2", "--rank", "2"] + more)
  }

  func metrics(_ run: String) throws -> [[String: Any]] {
    try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8).split(separator: "\n")
      .compactMap { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
  }

  func adapter(_ run: String) throws -> Data {
    try Data(contentsOf: URL(filePath: run + "/adapter_model.safetensors"))
  }

  /// NC and Prompt of held-out tasks now and then, which is what `evaluate` says and changes nothing.
  @Test func heldOutTasks() throws {
    let (run, without) = (folder.file("held"), folder.file("without"))
    let flags = ["--steps", "4", "--batch-size", "2", "--forms", "nc", "--lora-dropout", "0.1"]
    let looked = try finetune(
      flags + [
        "--output", run, "--eval-data", data, "--eval-steps", "2", "--eval-limit", "3",
        "--tensorboard", "-v",
      ])
    #expect(looked.status == 0, "\(looked.errors)")
    #expect(looked.errors.contains("held-out NC ") && !looked.errors.contains("FT"))
    let rows = try String(contentsOfFile: run + "/held_out.jsonl", encoding: .utf8)
      .split(separator: "\n").map {
        try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
      }
    #expect(rows.map { $0["step"] as? Int } == [0, 2, 4])
    #expect(rows.allSatisfy { $0["ft_nll"] == nil && $0["inner_loss"] == nil })

    let json = folder.file("report.json")
    let evaluated = try Tool.run(
      "imprint", "evaluate", "--model", model, "--adapter", run, "--data", data, "--limit", "3",
      "--json", json, "-q")
    #expect(evaluated.status == 0, "\(evaluated.errors)")
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: json)))
        as? [String: Any])
    for form in ["nc", "prompt"] {
      let nll = (report[form] as? [String: [String: Double]])?["nll"]?["mean"] ?? .nan
      // The same losses in f32, summed in sweeps of other sizes.
      #expect(abs((rows[2]["\(form)_nll"] as? Double ?? 0) - nll) < 1e-4, "\(form)")
    }
    // Sweeps have room for the longest form of held-out tasks; with both forms trained, no other.
    let both = ["--steps", "4", "--forms", "prompt,nc", "--memory", "200MiB"]
    let held = try finetune(
      both + ["--output", folder.file("b"), "--eval-data", data, "--quiet"])
    #expect(held.status == 0, "\(held.errors)")
    #expect(try finetune(both + ["--output", without, "--quiet"]).status == 0)
    #expect(try adapter(folder.file("b")) == adapter(without))

    let names = try FileManager.default.contentsOfDirectory(atPath: run)
    let events = try #require(names.first { $0.hasPrefix("events") })
    let bytes = try Data(contentsOf: URL(filePath: run + "/" + events))
    #expect(bytes.firstRange(of: Data("held_out/prompt_nll".utf8)) != nil)
    #expect(bytes.firstRange(of: Data("held_out/ft_nll".utf8)) == nil)
    let page = try Tool.run("imprint-tools", "report", run, "--output", "-")
    #expect(page.status == 0 && page.output.contains("Held-out tasks"))
    let alone = try finetune(flags + ["--output", folder.file("c"), "--eval-steps", "2"])
    #expect(alone.status == 64 && alone.errors.contains("--eval-steps goes with --eval-data"))
  }

  @Test func finetuneEvaluateResume() throws {
    let run = folder.file("run")
    let flags = ["--output", run, "--lora-dropout", "0.1", "--save-every", "2"]
    let dry = try finetune(flags + ["--dry-run"])
    #expect(dry.status == 0 && dry.output.contains("tokens a sweep"))
    #expect(!FileManager.default.fileExists(atPath: run))
    let first = try finetune(flags)
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.errors.contains("step 4/4") && first.errors.contains("prompt "))
    #expect(first.output.contains("adapter written"))
    for name in [
      "config.json", "metrics.jsonl", "checkpoint-00000004.safetensors", "adapter_config.json",
      "adapter_model.safetensors",
    ] {
      #expect(FileManager.default.fileExists(atPath: run + "/" + name), "\(name)")
    }
    let rows = try metrics(run)
    #expect(rows.count == 4 && rows.allSatisfy { $0["inner_loss"] == nil })
    #expect(rows.allSatisfy { $0["prompt_loss"] != nil && $0["nc_loss"] != nil })

    let again = try finetune(flags)
    #expect(again.status == 1 && again.errors.contains("holds a run already"))
    for more in [["--seed", "9"], ["--mix-forms"], ["--weight-decay", "0.1"]] {
      let other = try finetune(flags + ["--resume"] + more)
      #expect(
        other.status == 1 && other.errors.contains("another configuration"), "\(other.errors)")
    }
    let train = try Tool.run(
      "imprint", "train", "--model", model, "--data", data, "--batch-size", "2", "--rank", "2",
      "--output", run, "--resume")
    #expect(train.status == 1 && train.errors.contains("started by imprint finetune"))

    let report = folder.file("report.json")
    let evaluated = try Tool.run(
      "imprint", "evaluate", "--model", model, "--adapter", run, "--data", data, "--json", report)
    #expect(evaluated.status == 0, "\(evaluated.errors)")
    let merged = try Tool.run(
      "imprint-tools", "merge", model, run, folder.file("merged.imprint"), "--quiet")
    #expect(merged.status == 0, "\(merged.errors)")
  }

  /// A run that stopped at its checkpoint ends with the bits of one that did not.
  @Test func resumingIsExact() throws {
    let (straight, broken) = (folder.file("straight"), folder.file("broken"))
    let flags = [
      "--lora-dropout", "0.1", "--mix-forms", "--save-every", "2", "--steps", "6", "--quiet",
    ]
    #expect(try finetune(flags + ["--output", straight]).status == 0)
    #expect(try finetune(flags + ["--output", broken]).status == 0)
    // Back to step 4, whose checkpoint is kept.
    try FileManager.default.removeItem(atPath: broken + "/checkpoint-00000006.safetensors")
    try FileManager.default.removeItem(atPath: broken + "/adapter_model.safetensors")
    let resumed = try finetune(flags + ["--output", broken, "--resume"])
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try adapter(broken) == adapter(straight))
    #expect(try metrics(broken).compactMap { $0["step"] as? Int } == Array(1...6))
    #expect(
      try metrics(broken).compactMap { $0["outer_loss"] as? Double }
        == metrics(straight).compactMap { $0["outer_loss"] as? Double })
  }

  @Test func patternsAreTrainedAndWritten() throws {
    let run = folder.file("run")
    let made = try finetune([
      "--output", run, "--rank-pattern", "layers.0.self_attn.q_proj=5,down_proj=1",
      "--alpha-pattern", "mlp.*=4", "--forms", "nc", "--quiet",
    ])
    #expect(made.status == 0, "\(made.errors)")
    #expect(try shape(of: run, "0.self_attn.q_proj.lora_A") == [5, 32])
    #expect(try shape(of: run, "1.self_attn.q_proj.lora_A") == [2, 32])
    #expect(try shape(of: run, "1.mlp.down_proj.lora_B") == [32, 1])
    let config = try String(contentsOfFile: run + "/adapter_config.json", encoding: .utf8)
    #expect(
      config.contains("\"layers.0.self_attn.q_proj\" : 5") && config.contains("\"mlp.*\" : 4"))

    // The adapter is the start of a meta-training run, which takes over its shape.
    let meta = folder.file("meta")
    func train(_ more: String...) throws -> Tool.Result {
      try Tool.run(
        "imprint",
        ["train", "--model", model, "--data", data, "--batch-size", "2", "--quiet"] + more)
    }
    let start = try train("--output", meta, "--adapter", run, "--rank", "2")
    #expect(start.status == 0, "\(start.errors)")
    let description = try String(contentsOfFile: meta + "/config.json", encoding: .utf8)
    #expect(description.contains("\"start_adapter\""))
    #expect(try shape(of: meta, "0.self_attn.q_proj.lora_A") == [5, 32])
    // The adapter may have moved since: it is known by what is in it.
    #expect(try train("--output", meta, "--adapter", run + "/.", "--resume").status == 0)
    let wrong = try train("--output", meta, "--adapter", meta, "--resume")
    #expect(wrong.status == 1 && wrong.errors.contains("start_adapter_fingerprint \""))
    let other = try train("--output", meta, "--resume", "--rank", "2")
    #expect(other.status == 1 && other.errors.contains("--resume:"), "\(other.errors)")

    let fresh = folder.file("fresh")
    for (more, part) in [
      (["--rank", "4"], "--rank 4: the adapter of"), (["--alpha", "2"], "--alpha 2"),
      (["--target-modules", "q_proj"], "--target-modules: the adapter of"),
      (["--rslora"], "--rslora: the adapter of"),
      (["--rank-pattern", "down_proj=1"], "has rank 5"),
      (["--alpha-pattern", "mlp.*=3"], "is scaled by"),
    ] {
      let refused = try Tool.run(
        "imprint",
        [
          "train", "--model", model, "--data", data, "--output", fresh, "--adapter", run,
        ] + more)
      #expect(refused.status == 1 && refused.errors.contains(part), "\(refused.errors)")
      #expect(refused.errors.split(separator: "\n").count == 1, "\(refused.errors)")
    }
    let missing = try train("--output", fresh, "--adapter", folder.file("nothing"))
    #expect(missing.status == 1 && missing.errors.contains("there is no adapter here"))
    #expect(!FileManager.default.fileExists(atPath: fresh))
  }

  func shape(of run: String, _ name: String) throws -> [Int] {
    try SafetensorsFile(path: run + "/adapter_model.safetensors")
      .tensor("base_model.model.model.layers.\(name).weight").shape
  }

  /// Flags that make no sense together or at all: one line that names them, exit code 64.
  @Test(arguments: [
    (["--data", "D", "--forms", "prompt,x"], "'x' is none of prompt, nc"),
    (["--data", "D", "--forms", "prompt=0"], "share of prompt must be a positive number"),
    (["--data", "D", "--forms", "nc,nc"], "nc is given twice"),
    (["--data", "D", "--forms", "nc", "--mix-forms"], "--mix-forms goes with two --forms"),
    (["--data", "D", "--forms", "nc", "--separator", " "], "--separator goes with the Prompt"),
    (["--data", "D", "--lm-data", "T"], "goes with --lm-weight"),
    (["--data", "D", "--lm-weight", "1"], "--lm-weight goes with --lm-data"),
    (["--data", "D", "--lm-batch-size", "1"], "--lm-batch-size goes with --lm-data"),
    (["--data", "D", "--lm-length", "32"], "--lm-length goes with --lm-data"),
    (["--data", "D", "--lora-dropout", "1"], "--lora-dropout must be 0 or more"),
    (["--data", "D", "--rank-pattern", "q_proj"], "rank-pattern"),
    (["--data", "D", "--rank-pattern", "q_proj=x"], "rank-pattern"),
    (["--data", "D", "--rank-pattern", "q_proj=0"], "'q_proj' must be 1 to 4096"),
    (["--data", "D", "--alpha-pattern", "q_proj=-1"], "'q_proj' must be positive"),
    (["--data", "D", "--epochs", "1", "--steps", "1"], "exclude each other"),
    (["--data", "D", "--steps", "3", "--warmup-steps", "4"], "--warmup-steps"),
    (["--data", "D", "--outer", "full", "--rank", "2"], "--rank goes with --outer lora"),
    (
      ["--data", "D", "--outer", "full", "--lora-dropout", "0"], "--lora-dropout goes with --outer"
    ),
    (["--data", "D", "--outer", "full", "--adapter", "a"], "--adapter goes with --outer lora"),
    (["--data", "D", "--save-type", "f32"], "--save-type goes with --outer full"),
    (["--data", "D", "--outer", "full", "--save-type", "f16"], "must be f32 or bf16"),
    (["--data", "D", "--inner-lr", "1"], "Unknown option '--inner-lr'"),
    ([], "Give --data, --lm-data or both"),
    (["--lm-data", "T", "--forms", "nc"], "--forms goes with --data"),
    (["--lm-data", "T", "--mix-forms"], "--mix-forms goes with --data"),
    (["--lm-data", "T", "--separator", " "], "--separator goes with --data"),
    (["--lm-data", "T", "--no-mask-prompt"], "--no-mask-prompt goes with --data"),
    (["--lm-data", "T", "--lm-weight", "1"], "--lm-weight goes with --data"),
    (["--lm-data", "T", "--lm-batch-size", "1"], "--lm-batch-size goes with --data"),
  ])
  func senselessFlagsAreRefused(_ flags: [String], _ part: String) throws {
    let result = try Tool.run("imprint", ["finetune", "--model", "m", "--output", "o"] + flags)
    #expect(result.status == 64 && result.output.isEmpty)
    let line = try #require(result.errors.split(separator: "\n").first)
    #expect(line.contains(part), "\(result.errors)")
  }

  @Test func aWholeModelIsFinetuned() throws {
    let run = folder.file("run")
    let flags = ["finetune", "--model", model, "--data", data, "--output", run, "--outer", "full"]
    let made = try Tool.run("imprint", flags + ["--batch-size", "4", "--save-type", "bf16"])
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.output.contains("model.imprint written"))
    let verified = try Tool.run("imprint-tools", "verify", run + "/model.imprint")
    #expect(verified.status == 0, "\(verified.errors)")
  }

  @Test func trainRefusesDropout() throws {
    let result = try Tool.run(
      "imprint", "train", "--model", "m", "--data", "d", "--output", "o", "--lora-dropout", "0.1")
    #expect(
      result.status == 64 && result.errors.contains("--lora-dropout goes with imprint finetune"))
  }

  /// What only the model can tell is wrong: one line, exit code 1, no folder.
  @Test(arguments: [
    (["--rank-pattern", "layers.7.mlp.up_proj=3"], "names no linear that carries an adapter"),
    (["--rank-pattern", "q_proj=3", "--target-modules", "v_proj"], "names no linear"),
    (["--rank-pattern", "q_proj[=3"], "not a regular expression"),
    (["--rank-pattern", "layers.0.self_attn.k_proj=3,k_proj=2"], "both name"),
    (["--epochs", "1", "--warmup-steps", "50"], "more than the run's 4 steps"),
    (["--memory", "1MiB"], "at least"),
    (["--lm-data", "T", "--lm-weight", "1", "--lm-length", "200"], "128 positions"),
  ])
  func whatTheModelRefuses(_ flags: [String], _ part: String) throws {
    let run = folder.file("run")
    let result = try finetune(["--output", run] + flags)
    #expect(result.status == 1 && result.errors.contains(part), "\(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: run))
  }
}

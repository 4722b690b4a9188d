import Conversion
import Foundation
import LoRA
import MetaLearning
import Storage
import Text
import Weights

/// A reader that is fed with bytes from anywhere. It may refuse them, with an error of one line; it
/// may not crash, hang, or take memory that the bytes do not justify.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// A weight file, its checksums made right.
  case weights
  /// One block of a weight file with sizes of its own: three bytes, then the payload.
  case block
  /// A GGUF file and the tokenizer in it.
  case gguf
  /// A safetensors file.
  case safetensors
  /// `tokenizer.json`.
  case tokenizer
  /// The form of a tokenizer that weight files hold.
  case tables
  /// `config.json` of a Hugging Face model.
  case config
  /// `adapter_config.json`, a zero byte, `adapter_model.safetensors`; or llama.cpp's GGUF file.
  case adapter
  /// Tasks as JSON Lines.
  case tasks
  /// Plain text.
  case text
  /// SQuAD's JSON.
  case squad
  /// WikiText, raw or tokenised.
  case wikitext
  /// The Reversal Curse's original files, ``reversalNames``, with a zero byte between them.
  case reversal
  /// A checkpoint.
  case checkpoint
  /// `config.json` of a run folder.
  case run

  /// Feeds `input` to the reader; `folder` is for its files. Returns the line with which it was
  /// refused, or nil.
  @discardableResult
  public func feed(_ input: [UInt8], folder: String) -> String? {
    do {
      try read(input, folder: folder)
      return nil
    } catch {
      return "\(error)"
    }
  }

  private func read(_ input: [UInt8], folder: String) throws {
    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
      let path = "\(folder)/\(name)"
      try FuzzFile.write(bytes, to: path)
      return path
    }
    switch self {
    case .weights: try readWeights(file("w", HostileWeightFile.sealed(input)))
    case .block: try readWeights(file("b", HostileWeightFile.block(input)))
    case .gguf:
      let path = try file("g", input)
      let gguf = try GGUFFile(path: path)
      for tensor in gguf.tensors { _ = gguf.bytes(tensor).reduce(0, ^) }
      let source = try AnyModelSource.open(path)
      if let bytes = try source.tokenizer() { try useTokenizer(Tokenizer(serialized: bytes)) }
    case .safetensors:
      let file = try SafetensorsFile(path: file("s", input))
      for name in file.names { _ = try file.doubles(name) }
    case .tokenizer:
      let tokenizer = try Tokenizer(tokenizerJSON: Data(input))
      try useTokenizer(Tokenizer(serialized: tokenizer.serialized()))
    case .tables: try useTokenizer(Tokenizer(serialized: input))
    case .config:
      let parts = input.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
      _ = try HuggingFaceConfiguration.architecture(
        json: Array(parts[0]), generation: parts.count > 1 ? Array(parts[1]) : nil, path: "config")
    case .adapter:
      let adapter: AdapterFile
      if input.starts(with: Array("GGUF".utf8)) {
        adapter = try AdapterFile(path: file("a.gguf", input))
      } else {
        let parts = input.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
        _ = try file("adapter_config.json", Array(parts[0]))
        _ = try file("adapter_model.safetensors", parts.count > 1 ? Array(parts[1]) : [])
        adapter = try AdapterFile(path: folder)
      }
      let arena = Arena()
      let tensors = AdapterTensors<Float>(
        layout: AdapterLayout(adapter.configuration, architecture: Self.architecture),
        arena: arena, for: .adapter)
      try adapter.read(into: tensors)
    case .tasks:
      _ = try TaskFile.read(file("t", input), tokenizer: nil, vocabularySize: 67)
    case .text:
      var paragraphs = try ParagraphReader(path: file("p", input))
      while try paragraphs.next() != nil {}
    case .squad:
      _ = try SQuAD(longestContext: 64, sample: (count: 2, seed: 1)).convert(
        file("q", input), to: "\(folder)/q.jsonl")
    case .wikitext:
      let path = try file("w", input)
      _ = try WikiText(contextWords: 3, responseWords: 2, queriesPerContext: 2).convert(
        path, to: "\(folder)/w.jsonl")
      _ = try WikiText().paragraphs(path, to: "\(folder)/w.jsonl", shortest: 1)
    case .reversal:
      let parts = input.split(
        separator: 0, maxSplits: Self.reversalNames.count - 1, omittingEmptySubsequences: false)
      for (index, name) in Self.reversalNames.enumerated() {
        _ = try file("\(name).jsonl", index < parts.count ? Array(parts[index]) : [])
      }
      _ = try ReversalCurseFiles(folder: folder, testShare: 0.5, seed: 1)
    case .checkpoint: _ = try Checkpoint(path: file("c", input))
    case .run:
      _ = try file("config.json", input)
      _ = try RunFolder(path: folder).description()
    }
  }

  /// The files that ``reversal`` is made of, without their extension.
  public static let reversalNames = [
    "d2p_prompts_train", "d2p_reverse_prompts_test", "d2p_prompts_test", "p2d_prompts_train",
    "p2d_reverse_prompts_test",
  ]

  private static let architecture = Architecture(
    hiddenSize: 8, intermediateSize: 12, numHiddenLayers: 1, numAttentionHeads: 2,
    numKeyValueHeads: 1, headDim: 4, vocabSize: 16, maxPositionEmbeddings: 16, rmsNormEps: 1e-5,
    ropeTheta: 1e4, tieWordEmbeddings: true)

  private func readWeights(_ path: String) throws {
    let file = try WeightFile(path: path)
    for tensor in file.tensors {
      let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(1, tensor.scratchBytes), alignment: 64)
      defer { scratch.deallocate() }
      let rows = max(0, tensor.rows - 3)..<tensor.rows
      let values = UnsafeMutablePointer<Float>.allocate(capacity: rows.count * tensor.columns)
      defer { values.deallocate() }
      try tensor.decode(rows: rows, into: values, scratch: scratch)
      let bytes = UnsafeMutableRawPointer.allocate(
        byteCount: max(1, rows.count * tensor.description.rowBytes), alignment: 16)
      defer { bytes.deallocate() }
      try tensor.stored(rows: rows, into: bytes, scratch: scratch)
    }
    if let bytes = try file.tokenizerData() { try useTokenizer(Tokenizer(serialized: bytes)) }
    try file.verify()
  }

  /// Whatever the tokenizer is: text goes in, bytes come out.
  private func useTokenizer(_ tokenizer: Tokenizer) throws {
    let ids = tokenizer.encode("A river, 12 é 中\n<s> x")
    precondition(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularySize })
    _ = tokenizer.decodeBytes(ids)
    for id in 0..<Int32(min(tokenizer.vocabularySize, 64)) { _ = tokenizer.bytes(of: id) }
    _ = try Tokenizer(serialized: tokenizer.serialized())
  }
}

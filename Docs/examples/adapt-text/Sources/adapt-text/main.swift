// adapt-text MODEL RUN TEXT PROMPT: one gradient step on a text, then an answer without the text.
import Foundation
import Llama
import MetaLearning
import Text
import Weights

func run(model: String, run: String, text: String, prompt: String) throws {
  // The base weights stay on disk; the file has the tokenizer, too.
  let file = try WeightFile(path: model)
  let weights = try LlamaWeights<Float>(file: file)
  guard let tables = try file.tokenizerData() else {
    throw WeightError(path: model, "has no tokenizer")
  }
  let tokenizer = try Tokenizer(serialized: tables)

  // The step that the run was trained for. A long text becomes several contexts.
  let maker = try DocumentAdapter(run: RunFolder(path: run), weights: weights)
  let document = try String(contentsOfFile: text, encoding: .utf8)
  let contexts = ContextCutter(tokenizer: tokenizer, length: 128).contexts(of: document)
  let adapted = try maker.run(contexts)
  print("loss \(adapted.lossBefore) → \(adapted.lossAfter)")

  let answer = try weights.generate(
    tokenizer.encode(prompt, addSpecialTokens: true), adapter: adapted.adapter, maximum: 24)
  print(tokenizer.decode(answer))
}

let arguments = CommandLine.arguments
guard arguments.count == 5 else {
  print("usage: adapt-text MODEL RUN TEXT PROMPT")
  exit(64)
}
try run(model: arguments[1], run: arguments[2], text: arguments[3], prompt: arguments[4])

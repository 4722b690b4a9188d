public import Weights

/// The seven linears of a block, in their order of use.
public enum LinearKind: String, CaseIterable, Codable, Sendable {
  /// Queries, (H·d, D).
  case query = "self_attn.q_proj"
  /// Keys, (K·d, D).
  case key = "self_attn.k_proj"
  /// Values, (K·d, D).
  case value = "self_attn.v_proj"
  /// Attention's output, (D, H·d).
  case output = "self_attn.o_proj"
  /// SwiGLU's gate, (F, D).
  case gate = "mlp.gate_proj"
  /// SwiGLU's linear half, (F, D).
  case up = "mlp.up_proj"
  /// The way back, (D, F).
  case down = "mlp.down_proj"

  /// The name that users give in `--target-modules`, for example `q_proj`.
  public var moduleName: String { String(rawValue.split(separator: ".")[1]) }

  /// llama.cpp's name, in GGUF files after `blk.N.`.
  public var ggufName: String {
    switch self {
    case .query: "attn_q"
    case .key: "attn_k"
    case .value: "attn_v"
    case .output: "attn_output"
    case .gate: "ffn_gate"
    case .up: "ffn_up"
    case .down: "ffn_down"
    }
  }

  /// The place of this linear in a block.
  public var index: Int {
    switch self {
    case .query: 0
    case .key: 1
    case .value: 2
    case .output: 3
    case .gate: 4
    case .up: 5
    case .down: 6
    }
  }

  /// Its place among the linears of all blocks: layer · 7 + ``index``.
  public func place(in layer: Int) -> Int { layer * Self.allCases.count + index }

  /// Input and output features in a model of `architecture`.
  public func shape(in architecture: Architecture) -> (input: Int, output: Int) {
    let hidden = architecture.hiddenSize
    let heads = architecture.numAttentionHeads * architecture.headDim
    let groups = architecture.numKeyValueHeads * architecture.headDim
    return switch self {
    case .query: (hidden, heads)
    case .key, .value: (hidden, groups)
    case .output: (heads, hidden)
    case .gate, .up: (hidden, architecture.intermediateSize)
    case .down: (architecture.intermediateSize, hidden)
    }
  }
}

extension Tokenizer {
  /// Special tokens that end a text or a turn in the families that are read: Llama 2; GPT-2, SmolLM2
  /// and Qwen2; chats in ChatML; Llama 3.
  ///
  /// A model's metadata often names one of them alone: the end of a turn, not that of a document, or
  /// the other way round. llama.cpp goes by the names, too.
  private static let endNames: Set<String> = [
    "</s>", "<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>",
  ]

  /// Ids after which nothing more is said: ``eosId``, and special tokens that are known to end a text
  /// or a turn.
  public var endIds: Set<Int32> {
    let named = addedById.values.filter { token in
      token.special
        && Self.endNames.contains(
          String(decoding: tables.token(Int(token.id)), as: UTF8.self))
    }
    return Set(named.map(\.id) + (eosId.map { [$0] } ?? []))
  }
}

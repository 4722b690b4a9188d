/// A task as files have it: context, query and response, as text or as token ids.
///
/// One JSON object a line: `{"context": …, "query": …, "response": …}`, or with `context_ids`,
/// `query_ids`, `response_ids` and, where the Prompt form needs another than the default, `separator`
/// or `separator_ids`.
public struct MetaTask: Codable, Equatable, Sendable {
  /// c.
  public var context: String?
  /// q.
  public var query: String?
  /// a.
  public var response: String?
  /// Every answer that counts as right, where there are others than the response.
  public var answers: [String]?
  /// c in token ids.
  public var contextIds: [Int32]?
  /// q in token ids.
  public var queryIds: [Int32]?
  /// a in token ids.
  public var responseIds: [Int32]?
  /// What joins context and query in Prompt form, where that is not what is usual.
  public var separator: String?
  /// The same in token ids.
  public var separatorIds: [Int32]?

  enum CodingKeys: String, CodingKey {
    case context, query, response, answers, separator
    case contextIds = "context_ids"
    case queryIds = "query_ids"
    case responseIds = "response_ids"
    case separatorIds = "separator_ids"
  }

  /// Reads what a row has; what is no list, or ids that are no whole numbers of 32 bits, are named by
  /// their field.
  public init(from decoder: any Decoder) throws {
    let row = try decoder.container(keyedBy: CodingKeys.self)
    func list<Item: Decodable>(_ key: CodingKeys, of items: String) throws -> [Item]? {
      func refuse(_ expected: String) -> DecodingError {
        .dataCorruptedError(forKey: key, in: row, debugDescription: "expected \(expected)")
      }
      do {
        return try row.decodeIfPresent([Item].self, forKey: key)
      } catch DecodingError.typeMismatch(_, let context)
        where context.codingPath.count == row.codingPath.count + 1
      {
        throw refuse("a list of \(items)")
      } catch let error as DecodingError {
        throw error
      } catch {
        // What Foundation throws for a number that does not fit is no DecodingError here.
        throw refuse("whole numbers of 32 bits")
      }
    }
    context = try row.decodeIfPresent(String.self, forKey: .context)
    query = try row.decodeIfPresent(String.self, forKey: .query)
    response = try row.decodeIfPresent(String.self, forKey: .response)
    answers = try list(.answers, of: "texts")
    separator = try row.decodeIfPresent(String.self, forKey: .separator)
    contextIds = try list(.contextIds, of: "integers")
    queryIds = try list(.queryIds, of: "integers")
    responseIds = try list(.responseIds, of: "integers")
    separatorIds = try list(.separatorIds, of: "integers")
  }

  /// A task in text.
  public init(
    context: String, query: String, response: String, answers: [String]? = nil,
    separator: String? = nil
  ) {
    self.context = context
    self.query = query
    self.response = response
    self.answers = answers
    self.separator = separator
  }
}

/// A task in token ids.
public struct TokenizedTask: Equatable, Sendable {
  /// c.
  public var context: [Int32]
  /// q.
  public var query: [Int32]
  /// a.
  public var response: [Int32]
  /// What joins context and query in Prompt form.
  public var separator: [Int32]
  /// What stands in front of the query where there is no context: the bos id where the tokenizer asks
  /// for it and the query is text. The context of a text has its own.
  public var start: [Int32]
  /// Every answer that counts as right, in words: the row's own, or its response where that is text.
  public var answers: [String]
}

/// Tasks of a file, in token ids.
public enum TaskFile {
  /// Reads all tasks of the JSON Lines file at `path`.
  ///
  /// Text is encoded by `tokenizer`, each part on its own, a context behind the bos id where the
  /// tokenizer asks for it; ids are taken as they are, and checked against `vocabularySize`. Where a
  /// task says what joins its context and query, that takes the place of `separator`. Throws
  /// ``JSONLines/Failure`` naming file, line and field: a part that is missing, a context of fewer
  /// than two tokens, an empty query or response, an id outside the vocabulary, or a file without
  /// tasks.
  public static func read(
    _ path: String, tokenizer: Tokenizer?, vocabularySize: Int, separator: String = "\n",
    limit: Int? = nil
  ) throws(JSONLines.Failure) -> [TokenizedTask] {
    var lines = try JSONLines(path: path)
    var tasks: [TokenizedTask] = []
    let separatorIds = tokenizer?.encode(separator)
    while tasks.count < limit ?? .max, let row = try lines.next(MetaTask.self) {
      func refuse(_ problem: String) -> JSONLines.Failure {
        JSONLines.Failure(path: path, line: lines.line, problem)
      }
      func ids(
        _ name: String, _ text: String?, _ given: [Int32]?, least: Int, starts: Bool = false
      ) throws(JSONLines.Failure) -> [Int32] {
        let field = given == nil ? name : "\(name)_ids"
        if text != nil, given != nil { throw refuse("field '\(name)' is there as '\(field)', too") }
        let ids: [Int32]
        if let given {
          ids = given
        } else {
          guard let text else { throw refuse("field '\(name)' is missing") }
          guard let tokenizer else {
            throw refuse(
              "field '\(name)' is text, but the model has no tokenizer: give '\(name)_ids'")
          }
          ids = tokenizer.encode(text, addSpecialTokens: starts)
        }
        guard ids.count >= least else {
          let tokens = least == 1 ? "1 token" : "\(least) tokens"
          throw refuse("field '\(field)': expected at least \(tokens), found \(ids.count)")
        }
        for id in ids where id < 0 || Int(id) >= vocabularySize {
          throw refuse("field '\(field)': id \(id) is outside the vocabulary of \(vocabularySize)")
        }
        return ids
      }
      if row.separator != nil, row.separatorIds != nil {
        throw refuse("field 'separator' is there as 'separator_ids', too")
      }
      let context = try ids("context", row.context, row.contextIds, least: 2, starts: true)
      if row.separator != nil, row.separatorIds == nil, tokenizer == nil {
        throw refuse(
          "field 'separator' is text, but the model has no tokenizer: give 'separator_ids'")
      }
      let own = row.separator.flatMap { tokenizer?.encode($0) }
      guard let joint = row.separatorIds ?? own ?? separatorIds else {
        throw refuse("field 'separator_ids' is missing, and the model has no tokenizer")
      }
      for id in joint where id < 0 || Int(id) >= vocabularySize {
        throw refuse("field 'separator_ids': id \(id) is outside the vocabulary")
      }
      tasks.append(
        TokenizedTask(
          context: context,
          query: try ids("query", row.query, row.queryIds, least: 1),
          response: try ids("response", row.response, row.responseIds, least: 1),
          separator: joint, start: row.queryIds == nil ? tokenizer?.startIds ?? [] : [],
          answers: row.answers ?? row.response.map { [$0] } ?? []))
    }
    guard !tasks.isEmpty else { throw JSONLines.Failure(path: path, line: 0, "holds no task") }
    return tasks
  }
}

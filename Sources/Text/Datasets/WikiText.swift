import Storage

/// The articles of WikiText, raw or tokenised, as tasks or as plain text.
///
/// A task follows Zhang et al. 2025, §4: the context is a text, the query the next words, the
/// response how they go on. All three lie in one article, one after the other; articles are cut
/// into such pieces from their start, without overlap. Headings are left out: lines `= Title =` after
/// an empty line or at the start. Where a context has several queries, they and their responses follow
/// it one after the other: each is a task, of the same context, and all but the first leave out what
/// lies between.
public struct WikiText {
  /// Words of a context.
  public var contextWords = 96
  /// Words of a query.
  public var queryWords = 1
  /// Words of a response.
  public var responseWords = 16
  /// Queries, each with a response, that follow a context.
  public var queriesPerContext = 1
  /// Ends after this many rows; nil for all.
  public var limit: Int?
  /// Takes so many contexts at random, each with all its queries, in their order, the same for the
  /// same seed; nil for all.
  ///
  /// The first of a file are of a few articles.
  public var sample: (count: Int, seed: UInt64)?

  /// Words are what stands between spaces after ` @-@ ` and the like were undone.
  public init(
    contextWords: Int = 96, queryWords: Int = 1, responseWords: Int = 16,
    queriesPerContext: Int = 1, limit: Int? = nil, sample: (count: Int, seed: UInt64)? = nil
  ) {
    self.contextWords = contextWords
    self.queryWords = queryWords
    self.responseWords = responseWords
    self.queriesPerContext = queriesPerContext
    self.limit = limit
    self.sample = sample
  }

  /// Writes the tasks of the file at `path` to `output`.
  ///
  /// Memory is bounded by the longest article; a sample reads the file twice. A query that or whose
  /// response holds `<unk>` is left out. Throws ``JSONLines/Failure`` naming file and line where the
  /// file is not UTF-8 text; where it is the output, or no regular file though there is a sample to
  /// take; and where no task comes of it.
  public func convert(
    _ path: String, to output: String
  ) throws(JSONLines.Failure) -> DatasetReport {
    if sample != nil, FileIdentity(path)?.isRegular == false {
      throw JSONLines.Failure(
        path: path, line: 0, "--sample reads the file twice: expected a regular file")
    }
    let writer = try JSONLinesWriter(path: output, source: path)
    var sampling: SelectionSampling?
    if let sample {
      var total = 0
      _ = try read(path) { (_) throws(JSONLines.Failure) in
        total += 1
        return true
      }
      sampling = SelectionSampling(
        sample.count, of: total, seed: SplitMix64.mix(sample.seed, 0x7769_6b69))
    }
    var report = try read(path) { (tasks) throws(JSONLines.Failure) in
      if sampling?.takesNext() != false {
        for task in tasks where writer.count != limit { try writer.append(task) }
      }
      return writer.count != limit
    }
    try report.commit(writer, of: path, noun: "row")
    return report
  }

  /// Hands over the tasks of one context after the other until `body` wants no more. Returns what was
  /// left out.
  private func read(
    _ path: String, _ body: ([MetaTask]) throws(JSONLines.Failure) -> Bool
  ) throws(JSONLines.Failure) -> DatasetReport {
    var articles = try ArticleReader(path: path)
    var report = DatasetReport()
    let taskWords = queryWords + responseWords
    let size = contextWords + queriesPerContext * taskWords
    while let article = try articles.next() {
      report.articles += 1
      report.headingLikeLines = articles.headingLikeLines
      var words: [Word] = []
      for paragraph in article {
        for (index, text) in Detokenizer.words(paragraph).enumerated() {
          words.append(Word(text: text, startsParagraph: index == 0))
        }
      }
      for start in stride(from: 0, to: words.count, by: size) {
        guard words.count - start >= size else {
          report.drop("too short a rest of an article")
          continue
        }
        let context = words[start..<start + contextWords]
        var tasks: [MetaTask] = []
        for query in stride(from: context.endIndex, to: start + size, by: taskWords) {
          let response = query + queryWords
          let end = query + taskWords
          if words[query..<end].contains(where: { $0.text.contains("<unk>") }) {
            report.drop("<unk> in query or response")
            continue
          }
          tasks.append(
            MetaTask(
              context: Self.text(context, isContinued: false),
              query: Self.text(words[query..<response], isContinued: false),
              response: Self.text(words[response..<end], isContinued: true), separator: " "))
        }
        if tasks.isEmpty { continue }
        guard try body(tasks) else { return report }
      }
    }
    return report
  }

  /// Writes the paragraphs of at least `shortest` characters as `{"text": …}` rows to `output`, one
  /// after the other: memory is bounded by the longest.
  ///
  /// Throws as ``convert(_:to:)`` does.
  public func paragraphs(
    _ path: String, to output: String, shortest: Int = 200
  ) throws(JSONLines.Failure) -> DatasetReport {
    var articles = try ArticleReader(path: path)
    let writer = try JSONLinesWriter(path: output, source: path)
    var report = DatasetReport()
    while writer.count != limit, let paragraph = try articles.nextParagraph() {
      if paragraph.startsArticle { report.articles += 1 }
      let text = Detokenizer.words(paragraph.text).joined(separator: " ")
      if text.count < shortest {
        report.drop("paragraph too short")
      } else {
        try writer.append(PlainTextRow(text: text))
      }
    }
    report.headingLikeLines = articles.headingLikeLines
    try report.commit(writer, of: path, noun: "row")
    return report
  }

  private struct Word {
    var text: String
    var startsParagraph: Bool
  }

  /// The words with what separates them; where they continue a text, with what stands before.
  private static func text(_ words: ArraySlice<Word>, isContinued: Bool) -> String {
    var result = ""
    for (index, word) in words.enumerated() {
      if index > 0 || isContinued { result += word.startsParagraph ? "\n" : " " }
      result += word.text
    }
    return result
  }
}

/// The paragraphs of a WikiText file, one by one or those of an article at a time.
private struct ArticleReader {
  /// Lines so far that have a heading's form but do not follow an empty line: they are paragraphs.
  private(set) var headingLikeLines = 0
  private var lines: LineReader
  private var followsBlank = true
  private var startsArticle = true
  /// The first paragraph of the next article, where it was read already.
  private var ahead: String?

  init(path: String) throws(JSONLines.Failure) { lines = try LineReader(path: path) }

  /// The paragraphs of the next article that has some, or nil at the end.
  mutating func next() throws(JSONLines.Failure) -> [String]? {
    var paragraphs: [String] = []
    if let ahead { paragraphs.append(ahead) }
    ahead = nil
    while let paragraph = try nextParagraph() {
      if paragraph.startsArticle, !paragraphs.isEmpty {
        ahead = paragraph.text
        return paragraphs
      }
      paragraphs.append(paragraph.text)
    }
    return paragraphs.isEmpty ? nil : paragraphs
  }

  /// The next paragraph, and whether it is the first of its article; nil at the end.
  mutating func nextParagraph() throws(JSONLines.Failure) -> (text: String, startsArticle: Bool)? {
    while let line = try lines.nextText() {
      let text = line.trimmed
      defer { followsBlank = text.isEmpty }
      if text.isEmpty { continue }
      let level = Self.level(text)
      if followsBlank, let level {
        if level == 1 { startsArticle = true }
        continue
      }
      if level != nil { headingLikeLines += 1 }
      defer { startsArticle = false }
      return (text, startsArticle)
    }
    return nil
  }

  /// 1 for `= Title =`, 2 for `= = Section = =`, and so on; nil for what is no heading.
  private static func level(_ line: String) -> Int? {
    guard line.first == "=" else { return nil }
    let tokens = line.split(separator: " ")
    let before = tokens.prefix { $0 == "=" }.count
    guard before > 0, tokens.count > 2 * before else { return nil }
    return tokens.reversed().prefix { $0 == "=" }.count == before ? before : nil
  }
}

import Foundation
import Storage

/// Questions about paragraphs, from the JSON of SQuAD v1.1 or v2.0.
///
/// Source of the format: Rajpurkar et al. 2016 and 2018. A task is the paragraph, `Question: …` and
/// `Answer:`, and the first answer; where there are several, all of them count as right.
public struct SQuAD {
  /// Contexts of more characters are left out; nil for none.
  public var longestContext: Int?
  /// Ends after this many tasks; nil for all.
  public var limit: Int?
  /// What every response ends with: a model that learns it says where its answer ends.
  public var responseEnd: String
  /// Takes so many of the tasks at random, in their order, the same for the same seed; nil for all.
  ///
  /// The first of a file are about a few paragraphs of one article.
  public var sample: (count: Int, seed: UInt64)?

  /// How much to take, and how responses end.
  public init(
    longestContext: Int? = nil, limit: Int? = nil, responseEnd: String = "",
    sample: (count: Int, seed: UInt64)? = nil
  ) {
    self.longestContext = longestContext
    self.limit = limit
    self.responseEnd = responseEnd
    self.sample = sample
  }

  /// The largest file that is read: the format is one JSON value, which has to be held as a whole.
  public static let largestFile = 1 << 29

  /// Writes the tasks of the file at `path` to `output`. Returns how many, and what was left out.
  ///
  /// Throws ``JSONLines/Failure`` naming the file and the field: not JSON, another shape, no task
  /// at all, or an output that is the same file or cannot be written.
  public func convert(
    _ path: String, to output: String
  ) throws(JSONLines.Failure) -> DatasetReport {
    let document = try Self.read(path)
    let writer = try JSONLinesWriter(path: output, source: path)
    var report = DatasetReport()
    let questions = document.data.lazy.flatMap(\.paragraphs).flatMap { paragraph in
      paragraph.qas.lazy.map { (paragraph.context, $0) }
    }
    var sampling = sample.map {
      SelectionSampling(
        $0.count, of: questions.count { (try? task($0, $1).get()) != nil },
        seed: SplitMix64.mix($0.seed, 0x7371_7561_64))
    }
    for (context, question) in questions {
      if writer.count == limit { break }
      switch task(context, question) {
      case .success(let task): if sampling?.takesNext() != false { try writer.append(task) }
      case .failure(let reason): report.drop(reason.rawValue)
      }
    }
    try report.commit(writer, of: path)
    return report
  }

  private enum Reason: String, Error {
    case unanswerable
    case noAnswer = "no answer"
    case emptyContext = "empty context"
    case emptyQuestion = "empty question"
    case notInContext = "answer not in its context"
    case longContext = "context too long"
  }

  private func task(_ context: String, _ row: Document.Question) -> Result<MetaTask, Reason> {
    if row.isImpossible == true { return .failure(.unanswerable) }
    let context = context.trimmed
    let question = row.question.trimmed
    var answers: [String] = []
    for text in (row.answers ?? []).map(\.text.trimmed) where !text.isEmpty {
      if !answers.contains(text) { answers.append(text) }
    }
    guard let answer = answers.first, row.answers?.first?.text.trimmed == answer else {
      return .failure(.noAnswer)
    }
    if context.isEmpty { return .failure(.emptyContext) }
    if question.isEmpty { return .failure(.emptyQuestion) }
    if let longestContext, context.count > longestContext { return .failure(.longContext) }
    guard context.contains(answer) else { return .failure(.notInContext) }
    return .success(
      MetaTask(
        context: context, query: "Question: \(question)\nAnswer:",
        response: " " + answer + responseEnd, answers: answers.count > 1 ? answers : nil))
  }

  private struct Document: Decodable {
    struct Article: Decodable { var paragraphs: [Paragraph] }
    struct Paragraph: Decodable {
      var context: String
      var qas: [Question]
    }
    struct Question: Decodable {
      var question: String
      var answers: [Answer]?
      var isImpossible: Bool?

      enum CodingKeys: String, CodingKey {
        case question, answers
        case isImpossible = "is_impossible"
      }
    }
    struct Answer: Decodable { var text: String }
    var data: [Article]
  }

  private static func read(_ path: String) throws(JSONLines.Failure) -> Document {
    func failure(_ problem: String) -> JSONLines.Failure {
      JSONLines.Failure(path: path, line: 0, problem)
    }
    let data: Data
    do {
      let handle = try FileHandle(forReadingFrom: URL(filePath: path))
      data = try handle.read(upToCount: largestFile + 1) ?? Data()
    } catch {
      throw failure("cannot be read")
    }
    guard data.count <= largestFile else { throw failure("is larger than \(largestFile) bytes") }
    do {
      return try JSONDecoder().decode(Document.self, from: data)
    } catch {
      var problem = JSONLines.problem(error)
      // Foundation does not say where; mostly it is a download that was cut off.
      if case DecodingError.dataCorrupted(let context) = error, context.codingPath.isEmpty,
        let last = data.last(where: { !LineReader.isSpace($0) }), last != UInt8(ascii: "}")
      {
        problem += ": its end is no '}'"
      }
      throw failure(problem + " (SQuAD JSON was expected)")
    }
  }
}

extension String {
  /// Without white space at its ends.
  var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}

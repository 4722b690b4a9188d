import ArgumentParser

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "To be filled in.")
}

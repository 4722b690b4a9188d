import ArgumentParser

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "To be filled in.")
}

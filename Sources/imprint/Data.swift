import ArgumentParser

struct Data: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "To be filled in.")
}

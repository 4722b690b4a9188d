import ArgumentParser

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "To be filled in.")
}

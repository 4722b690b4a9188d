import ArgumentParser

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "To be filled in.")
}

import ArgumentParser

struct Codec: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "To be filled in.")
}

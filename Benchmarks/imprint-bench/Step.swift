import ArgumentParser
struct Step: ParsableCommand {}

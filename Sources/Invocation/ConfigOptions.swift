public import ArgumentParser

/// Flags in files, of every command: ``Invocation`` puts them in before the command line is read.
public struct ConfigOptions: ParsableArguments {
  /// The files.
  @Option(
    help: ArgumentHelp(
      "Take flags from this YAML file, for example 'batch-size: 8'; those given here win.",
      valueName: "file.yaml"))
  public var config: [String] = []

  /// None.
  public init() {}
}

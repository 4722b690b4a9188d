import Foundation

/// Prints a line at once: what takes an hour is watched in a file, too.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

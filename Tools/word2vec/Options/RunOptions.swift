import ArgumentParser

/// How the work is done; may differ from run to run of one model.
struct RunOptions: ParsableArguments {
  @Option(help: "Threads that train. With more than one, no two runs give the same bits.")
  var threads = 1

  @Option(help: "Megabytes of memory for cached rows.")
  var cache = 256

  @Flag(help: "Do not wait for the disk: the last commits may be lost with the power.")
  var noSync = false

  @Flag(
    help: """
      Go on behind a commit that holds a part of a step, as the store makes it where changed rows \
      fill the cache, though the vectors then differ a little from those of an undisturbed run.
      """)
  var acceptPartialStep = false

  @Flag(name: .shortAndLong, help: "Do not show progress.")
  var quiet = false

  func validate() throws {
    guard (1...256).contains(threads) else { throw ValidationError("--threads lies in 1...256.") }
    guard (1...1 << 30).contains(cache) else { throw ValidationError("--cache is at least 1.") }
  }
}

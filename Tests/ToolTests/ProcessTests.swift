import Embeddings
import Foundation
import Testing

@Suite struct ProcessTests {
  let bench = Workbench()

  @Test func readersWorkAndWritersWaitWhileAnotherProcessWrites() throws {
    let database = try EmbeddingDatabase(at: bench.path("x.emb"))
    let table = try database.table("t", TableConfiguration(dimension: 2))
    try table.assign(["a", "b"], vectors: [[1, 0], [1, 1]])
    try database.commit(step: 9)
    // What is not committed is not seen.
    try table.assign(["a", "late"], vectors: [[5, 5], [5, 5]])
    #expect(
      try bench.succeed("get", "x.emb", "a", "--json").json()["vector"] as? [Double] == [1, 0])
    #expect(try bench.succeed("stat", "x.emb").out.contains("step 9"))
    #expect(try bench.succeed("dump", "x.emb", "--jsonl").lines.count == 2)
    #expect(try bench.succeed("similar", "x.emb", "a").out.contains("b   0.7071"))
    try bench.succeed("export", "x.emb", "out.txt")
    try bench.succeed("verify", "x.emb")
    try bench.succeed("backup", "x.emb", "backup.emb")
    let busy = ["Another process", "open for writing"]
    try bench.fail("delete", "x.emb", "a", status: 75, busy)
    try bench.fail("import", "x.emb", "out.txt", status: 75, busy)
    try bench.fail("create", "x.emb", "u", "--dimension", "2", status: 75, busy)
    // The one who writes was not disturbed.
    try table.assign(["a"], vectors: [[7, 7]])
    try database.commit(step: 10)
    #expect(
      try bench.succeed("get", "x.emb", "a", "--json").json()["vector"] as? [Double] == [7, 7])
    try database.close()
    try bench.succeed("delete", "x.emb", "a")
  }

  @Test func aReaderOfThePipeThatLeavesEndsTheDumpQuietly() throws {
    try bench.makeWords()
    for arguments in [
      ["dump", "words.emb", "--jsonl"], ["export", "words.emb", "-", "--format", "glove"],
    ] {
      let process = bench.process(arguments)
      let (out, err) = (Pipe(), Pipe())
      process.standardOutput = out
      process.standardError = err
      try process.run()
      _ = try out.fileHandleForReading.read(upToCount: 100)
      try out.fileHandleForReading.close()
      let errors = try err.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      #expect(process.terminationStatus == 141)
      #expect(errors.isEmpty, "\(String(decoding: errors, as: UTF8.self))")
    }
  }

  @Test func aFileThatMayNotGrowIsAnErrorThatLeavesNothing() throws {
    try bench.makeWords()
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.currentDirectoryURL = URL(fileURLWithPath: bench.path("."))
    shell.arguments = [
      "-c", "ulimit -f 100; exec '\(Workbench.tool.path)' export words.emb out.txt",
    ]
    let err = Pipe()
    shell.standardError = err
    try shell.run()
    let error = String(decoding: try err.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    shell.waitUntilExit()
    #expect(shell.terminationReason == .exit && shell.terminationStatus == 74)
    #expect(error.hasPrefix("error: Could not write") && error.contains("out.txt"), "\(error)")
    #expect(bench.names == ["words.emb"])
  }

  @Test func ctrlCLeavesTheTableAsItWas() throws {
    try bench.succeed("create", "x.emb", "t", "--dimension", "1", "--id-type", "int64")
    let process = bench.process(["import", "x.emb", "-", "--format", "glove"])
    let (input, err) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardError = err
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: Data(lines(0..<40_000).utf8))
    process.interrupt()
    let errors = String(decoding: try err.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal)
    #expect(process.terminationStatus == SIGINT)
    #expect(errors == "interrupted: nothing was imported\n")
    #expect(try bench.succeed("dump", "x.emb").lines.count == 1)
    try bench.succeed("verify", "x.emb")
  }

  @Test func ctrlCRemovesTheDatabaseThatTheImportMade() throws {
    let part = lines(0..<100_000)
    try bench.write(String(repeating: part, count: 40), to: "many.txt")
    let process = bench.process(["import", "x.emb", "many.txt", "--format", "glove", "--create"])
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    // Not `Task.sleep`, which may last until other tests let go of the thread pool.
    while process.isRunning, !bench.exists("x.emb/writer.lock") { usleep(5_000) }
    // Long enough for the import to begin, far from enough for it to end.
    usleep(100_000)
    process.interrupt()
    process.waitUntilExit()
    #expect(process.terminationStatus == SIGINT)
    #expect(bench.names == ["many.txt"])
  }

  @Test(arguments: [false, true])
  func progressIsDrawnOnATerminalUnlessQuiet(isQuiet: Bool) async throws {
    try bench.succeed("create", "x.emb", "t", "--dimension", "1", "--id-type", "int64")
    let (terminal, end) = makeTerminal()
    let process = bench.process(
      ["import", "x.emb", "-", "--format", "glove"] + (isQuiet ? ["--quiet"] : []))
    let input = Pipe()
    process.standardInput = input
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle(fileDescriptor: end)
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: Data(lines(0..<40_000).utf8))
    try await Task.sleep(for: .milliseconds(500))
    try input.fileHandleForWriting.write(contentsOf: Data(lines(40_000..<80_000).utf8))
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    _ = fcntl(terminal, F_SETFL, O_NONBLOCK)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(terminal, &buffer, buffer.count)
    close(terminal)
    close(end)
    let drawn = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    if isQuiet {
      #expect(drawn == "")
    } else {
      #expect(drawn.contains("importing standard input"))
      #expect(drawn.contains("rows/s"))
      // It is gone in the end.
      #expect(drawn.hasSuffix("\r\u{1B}[K"))
    }
  }

  /// Both ends of a new terminal: that of the person, and that of the process.
  private func makeTerminal() -> (Int32, Int32) {
    // TIOCSPTLCK and TIOCGPTN, macros that Swift does not see.
    let (unlock, number) = (UInt(0x4004_5431), UInt(0x8004_5430))
    let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var value: Int32 = 0
    #expect(ioctl(terminal, unlock, &value) == 0 && ioctl(terminal, number, &value) == 0)
    return (terminal, open("/dev/pts/\(value)", O_RDWR | O_NOCTTY))
  }

  private func lines(_ ids: Range<Int>) -> String { ids.map { "\($0) 0.5\n" }.joined() }
}

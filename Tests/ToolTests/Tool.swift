import Embeddings
import Foundation
import TestSupport
import Testing

/// What a run of the tool left.
struct Run {
  var status: Int32
  var signal: Int32?
  var out: String
  var err: String

  var lines: [String] { out.split(separator: "\n").map(String.init) }

  /// Standard output as one JSON value.
  func json() throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(out.utf8)) as? [String: Any])
  }

  /// Standard output as one JSON object a line.
  func jsonLines() throws -> [[String: Any]] {
    try lines.map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }
}

/// A folder to work in, and the tool that runs there.
final class Workbench {
  let directory = TemporaryDirectory()

  /// The executable, beside the test bundle.
  static let tool: URL = {
    let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let candidates = [own, Bundle.main.bundleURL] + Bundle.allBundles.map(\.bundleURL)
    for candidate in candidates {
      for folder in [candidate, candidate.deletingLastPathComponent()] {
        let tool = folder.appending(path: "embstore")
        var isDirectory: ObjCBool = true
        if FileManager.default.fileExists(atPath: tool.path, isDirectory: &isDirectory),
          !isDirectory.boolValue
        {
          return tool
        }
      }
    }
    fatalError("embstore was not built beside \(own.path)")
  }()

  /// 2,446 vectors of GloVe, of dimension 50.
  static let glove = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
    .appending(path: "ExchangeTests/Fixtures/glove50/glove.6B.50d.txt").path

  func path(_ name: String) -> String { directory.path + "/" + name }

  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    return path(name)
  }

  func read(_ name: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(fileURLWithPath: path(name))), as: UTF8.self)
  }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  /// The names of the files in the folder, hidden ones included.
  var names: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()) ?? []
  }

  /// A process of the tool that has not been started.
  func process(_ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = Self.tool
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
    process.standardInput = FileHandle.nullDevice
    return process
  }

  /// Runs the tool to its end. Its output goes through files, so that no pipe can fill up.
  @discardableResult
  func run(_ arguments: String..., input: String? = nil) throws -> Run {
    try run(arguments, input: input)
  }

  func run(_ arguments: [String], input: String? = nil) throws -> Run {
    let scratch = TemporaryDirectory()
    func handle(_ name: String, _ content: String = "") throws -> FileHandle {
      let url = URL(fileURLWithPath: scratch.path + "/" + name)
      try Data(content.utf8).write(to: url)
      return try FileHandle(forUpdating: url)
    }
    func text(_ handle: FileHandle) throws -> String {
      try handle.seek(toOffset: 0)
      return String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
    }
    let process = process(arguments)
    let (out, err) = (try handle("out"), try handle("err"))
    process.standardOutput = out
    process.standardError = err
    if let input { process.standardInput = try handle("in", input) }
    try process.run()
    process.waitUntilExit()
    return Run(process, out: try text(out), err: try text(err))
  }

  /// Runs the tool, which must succeed without a word on standard error.
  @discardableResult
  func succeed(
    _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Run {
    let process = try run(arguments)
    #expect(process.status == 0, "\(arguments): \(process.err)", sourceLocation: sourceLocation)
    #expect(process.err == "", sourceLocation: sourceLocation)
    return process
  }

  /// Runs the tool, which must fail with one line of `error:` that has `texts` in it.
  func fail(
    _ arguments: String..., status: Int32, _ texts: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let process = try run(arguments)
    #expect(process.status == status, "\(process.err)", sourceLocation: sourceLocation)
    #expect(process.err.hasPrefix("error: "), "\(process.err)", sourceLocation: sourceLocation)
    #expect(!process.err.contains("EmbeddingError"), sourceLocation: sourceLocation)
    // The parser of arguments adds lines of usage.
    if status != 64 {
      #expect(process.err.split(separator: "\n").count == 1, sourceLocation: sourceLocation)
    }
    for text in texts {
      #expect(process.err.contains(text), "\(process.err)", sourceLocation: sourceLocation)
    }
  }

  /// A database with the table `words` of GloVe.
  func makeWords() throws {
    try succeed("import", "words.emb", Self.glove, "--create", "--table", "words")
  }
}

extension Run {
  init(_ process: Process, out: String, err: String) {
    let isSignal = process.terminationReason == .uncaughtSignal
    self.init(
      status: process.terminationStatus, signal: isSignal ? process.terminationStatus : nil,
      out: out, err: err)
  }
}

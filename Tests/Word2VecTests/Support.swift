import Embeddings
import Glibc
import TestSupport

@testable import word2vec

/// Writes `text` to a file named `name`, and returns its path.
func write(_ text: String, to name: String, in directory: TemporaryDirectory) -> String {
  let path = directory.path + "/" + name
  let file = fopen(path, "w")!
  fputs(text, file)
  fclose(file)
  return path
}

/// The bytes of a file, or nil.
func contents(_ path: String) -> [UInt8]? {
  guard let file = fopen(path, "r") else { return nil }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = fread(&chunk, 1, chunk.count, file)
    if count == 0 { return bytes }
    bytes.append(contentsOf: chunk[..<count])
  }
}

/// A text of made-up words, the frequent ones few, in lines of 5 to 40 words.
func makeText(words: Int, vocabulary: Int, seed: UInt64) -> String {
  var generator = Generator(state: seed)
  var text = ""
  var left = words
  while left > 0 {
    let length = min(left, 5 + generator.next(below: 36))
    for _ in 0..<length {
      let unit = generator.unit()
      text += "w\(Int(Double(vocabulary) * unit * unit * unit)) "
    }
    text += "\n"
    left -= length
  }
  return text
}

/// Runs the tool as a process of its own.
struct Tool {
  let arguments: [String]

  /// The executable lies beside the test bundle that this code is in, which is mapped.
  private static let path: String = {
    let maps = String(decoding: contents("/proc/self/maps") ?? [], as: UTF8.self)
    let line = maps.split(separator: "\n").first { $0.hasSuffix(".xctest") }
    guard let line, let start = line.firstIndex(of: "/"), let end = line.lastIndex(of: "/") else {
      fatalError("no test bundle is mapped")
    }
    return line[start..<end] + "/word2vec"
  }()

  /// Starts the tool; its messages go to the file `log`.
  func start(log: String) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor: Int32 in [1, 2] {
      posix_spawn_file_actions_addopen(
        &actions, descriptor, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    }
    var argv: [UnsafeMutablePointer<CChar>?] = ([Self.path] + arguments).map { strdup($0) } + [nil]
    defer { for argument in argv { free(argument) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, Self.path, &actions, nil, &argv, environ)
    precondition(code == 0, "\(Self.path) does not start: \(String(cString: strerror(code)))")
    return process
  }

  /// How a process ended.
  enum End: Equatable {
    case exit(Int32)
    case signal(Int32)
  }

  /// Waits for the process to end.
  static func wait(_ process: pid_t) -> End {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7F == 0 ? .exit((status >> 8) & 0xFF) : .signal(status & 0x7F)
  }

  /// Runs the tool to its end.
  func run(log: String) -> End { Self.wait(start(log: log)) }
}

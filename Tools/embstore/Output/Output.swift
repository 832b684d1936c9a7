import Embeddings
import Glibc

/// Standard output, written in large pieces.
struct Output: ~Copyable {
  private var pending: [UInt8] = []

  init() { pending.reserveCapacity(1 << 16) }

  /// Appends a line.
  mutating func line(_ text: String = "") throws(EmbeddingError) {
    pending.append(contentsOf: text.utf8)
    pending.append(0x0A)
    if pending.count >= 1 << 16 { try flush() }
  }

  /// Hands over what is pending.
  mutating func flush() throws(EmbeddingError) {
    defer { pending.removeAll(keepingCapacity: true) }
    try writeAll(pending, to: STDOUT_FILENO)
  }
}

/// Writes a line to standard output at once.
func say(_ text: String) throws(EmbeddingError) {
  try writeAll(Array((text + "\n").utf8), to: STDOUT_FILENO)
}

/// Writes to standard error; where that is gone, there is nobody to tell.
func complain(_ text: String) {
  try? writeAll(Array((text + "\n").utf8), to: STDERR_FILENO)
}

/// Tells the outcome of a command: a sentence, or JSON for programs.
func report(_ text: String, _ json: @autoclosure () -> JSON, asJSON: Bool) throws(EmbeddingError) {
  try say(asJSON ? json().pretty : text)
}

func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(EmbeddingError) {
  var start = 0
  while start < bytes.count {
    let count = bytes.withUnsafeBytes {
      Glibc.write(descriptor, $0.baseAddress! + start, $0.count - start)
    }
    if count < 0 && errno == EINTR { continue }
    guard count >= 0 else {
      let code = errno
      throw EmbeddingError(
        code == ENOSPC ? .diskFull : .io, "Could not write to standard output.",
        cause: SystemErrno(rawValue: code))
    }
    start += count
  }
}

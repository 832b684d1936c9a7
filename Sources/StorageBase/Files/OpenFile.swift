#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An owned file descriptor: the one place that makes the system calls of our own file I/O.
///
/// Calls interrupted by a signal are made again. Every failure is an ``EmbeddingError`` that names
/// the path: ``EmbeddingError/Code/diskFull``, ``EmbeddingError/Code/notFound`` or
/// ``EmbeddingError/Code/io``, with the error number as its cause.
package struct OpenFile: ~Copyable {
  /// The path, or a name such as `standard input`, for messages.
  package let name: String
  let descriptor: Int32
  private let closes: Bool

  /// Takes a descriptor over; `closes` is false for the standard streams.
  init(descriptor: Int32, name: String, closes: Bool = true) {
    self.descriptor = descriptor
    self.name = name
    self.closes = closes
  }

  /// Opens `path` for reading; `-` is standard input.
  package init(reading path: String) throws(EmbeddingError) {
    if path == "-" {
      self.init(descriptor: STDIN_FILENO, name: "standard input", closes: false)
    } else {
      try self.init(opening: path, flags: O_RDONLY, doing: "open")
    }
  }

  /// Opens `path` with `open(2)`; `doing` is the verb of the error message.
  init(
    opening path: String, flags: Int32, mode: mode_t = 0o666, doing verb: String
  ) throws(EmbeddingError) {
    let descriptor = try systemCall("Could not \(verb) \(path)") {
      open(path, flags | O_CLOEXEC, mode)
    }
    self.init(descriptor: descriptor, name: path)
  }

  deinit { if closes { _ = close(descriptor) } }

  /// The size in bytes of a regular file; nil for a pipe, a terminal and other streams.
  package func regularSize() throws(EmbeddingError) -> Int? {
    var status = stat()
    try systemCall("Could not read the size of \(name)") { fstat(descriptor, &status) }
    if status.st_mode & S_IFMT == S_IFDIR {
      throw EmbeddingError(
        .io, "\(name) is a directory; name a file.", cause: SystemErrno(rawValue: EISDIR))
    }
    return status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
  }

  /// Reads up to `buffer.count` bytes at the file's position; 0 at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(EmbeddingError) -> Int {
    try systemCall("Could not read \(name)") {
      systemRead(descriptor, buffer.baseAddress, FileFaults.limit(buffer.count))
    }
  }

  /// Reads up to `buffer.count` bytes at `offset`; 0 at the end.
  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(EmbeddingError) -> Int {
    try systemCall("Could not read \(name)") {
      pread(descriptor, buffer.baseAddress, FileFaults.limit(buffer.count), off_t(offset))
    }
  }

  /// Writes all of `bytes`, at the file's position or at `offset`.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int? = nil) throws(EmbeddingError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      done += try systemCall("Could not write \(name)") {
        let count = FileFaults.limit(rest.count)
        return if let offset {
          pwrite(descriptor, rest.baseAddress, count, off_t(offset + done))
        } else {
          systemWrite(descriptor, rest.baseAddress, count)
        }
      }
    }
  }

  /// Waits until what was written stands on the medium.
  func sync() throws(EmbeddingError) {
    try systemCall("Could not sync \(name)") { fsync(descriptor) }
  }
}

// Free functions, since the methods of `OpenFile` hide the system's by their names.
private func systemRead(_ fd: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
  read(fd, buffer, count)
}

private func systemWrite(_ fd: Int32, _ buffer: UnsafeRawPointer?, _ count: Int) -> Int {
  write(fd, buffer, count)
}

/// Makes a system call that reports failure as -1: again where a signal interrupted it, and not at
/// all where a test's plan says that it fails.
@discardableResult
func systemCall<R: FixedWidthInteger>(
  _ failure: @autoclosure () -> String, _ call: () -> R
) throws(EmbeddingError) -> R {
  if let fault = FileFaults.next() { throw fileError(failure(), errno: fault) }
  while true {
    let result = call()
    if result != -1 { return result }
    if errno != EINTR { throw fileError(failure(), errno: errno) }
  }
}

/// The error for a failed call: `message` says which call, on what.
func fileError(_ message: String, errno: Int32) -> EmbeddingError {
  let cause = SystemErrno(rawValue: errno)
  return switch errno {
  case ENOSPC, EDQUOT:
    EmbeddingError(
      .diskFull, "\(message): the disk is full. Make room and try again.", cause: cause)
  case ENOENT, ENOTDIR:
    EmbeddingError(.notFound, "\(message): it does not exist.", cause: cause)
  default:
    EmbeddingError(.io, "\(message).", cause: cause)
  }
}

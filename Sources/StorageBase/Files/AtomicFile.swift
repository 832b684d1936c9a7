import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A file that appears under its name whole and durable, or not at all.
///
/// It is written to a temporary file in the same folder, through a buffer. `commit()` syncs it,
/// renames it over the name and syncs the folder; without a commit the temporary file is removed.
/// A process that is killed leaves the temporary file behind, named `.<name>.<process>-<n>.tmp`.
/// Standard output (`-`), pipes and devices are written directly, since they have no such promise
/// to keep. A symbolic link is followed: the file that it names is replaced, not the link.
package struct AtomicFile: ~Copyable {
  /// The path, or `standard output`, for messages.
  package let name: String
  /// Bytes written in sequence so far: the offset at which the next one goes.
  package private(set) var offset = 0

  private let file: OpenFile
  private let path: String
  /// The temporary file, as long as it stands; nil where the output is written directly.
  private var temporary: String?
  private let isDirect: Bool
  private var buffer: [UInt8] = []
  private let bufferSize: Int
  private var failure: EmbeddingError?
  private var isCommitted = false

  private static let counter = Atomic<Int>(0)

  /// Opens the temporary file beside `path`.
  package init(path: String, bufferSize: Int = 1 << 18) throws(EmbeddingError) {
    let target = try Self.open(path)
    self.path = target.path
    temporary = target.temporary
    isDirect = target.temporary == nil
    file = target.file
    name = path == "-" ? "standard output" : path
    self.bufferSize = bufferSize
    buffer.reserveCapacity(bufferSize)
  }

  deinit {
    guard let temporary else { return }
    if FileFaults.next() == nil { _ = unlink(temporary) }
  }

  /// Whether the bytes go to a stream, where nothing can be written out of order.
  package var isStream: Bool { isDirect }

  /// Appends `bytes`.
  package mutating func write(_ bytes: RawSpan) throws(EmbeddingError) {
    try check()
    offset += bytes.byteCount
    if buffer.count + bytes.byteCount > bufferSize { try flush() }
    if bytes.byteCount >= bufferSize {
      try bytes.withUnsafeBytes { (bytes) throws(EmbeddingError) in try writeThrough(bytes, at: nil)
      }
    } else {
      bytes.withUnsafeBytes { buffer.append(contentsOf: $0) }
    }
  }

  /// Appends `bytes`.
  package mutating func write(_ bytes: [UInt8]) throws(EmbeddingError) {
    try write(bytes.span.bytes)
  }

  /// Writes `bytes` at `offset`, past the buffer; it does not move the offset of appending.
  package mutating func write(_ bytes: RawSpan, at offset: Int) throws(EmbeddingError) {
    precondition(!isStream, "a stream is written in order")
    try check()
    try bytes.withUnsafeBytes { (bytes) throws(EmbeddingError) in
      try writeThrough(bytes, at: offset)
    }
  }

  /// Makes the file durable and gives it its name. Nothing can be written afterwards.
  ///
  /// - Throws: the error of a failed write or sync, after which the name stands for what it did
  ///   before. Only where syncing the folder fails is the new file in place, and it is unknown
  ///   whether it stays so after a power failure; the message says so.
  package mutating func commit() throws(EmbeddingError) {
    try check()
    try flush()
    if let temporary {
      do throws(EmbeddingError) {
        try file.sync()
        try systemCall("Could not rename \(temporary) to \(path)") { rename(temporary, path) }
      } catch {
        failure = error
        throw error
      }
      self.temporary = nil
      isCommitted = true
      try Self.syncFolder(of: path)
    }
    isCommitted = true
  }

  private func check() throws(EmbeddingError) {
    precondition(!isCommitted, "a file was written after its commit")
    if let failure { throw failure }
  }

  private mutating func flush() throws(EmbeddingError) {
    guard !buffer.isEmpty else { return }
    var pending = buffer
    buffer = []
    try pending.span.bytes.withUnsafeBytes { (bytes) throws(EmbeddingError) in
      try writeThrough(bytes, at: nil)
    }
    pending.removeAll(keepingCapacity: true)
    buffer = pending
  }

  /// Writes past the buffer. After a failure the file holds nobody knows what: it stays failed.
  private mutating func writeThrough(
    _ bytes: UnsafeRawBufferPointer, at offset: Int?
  ) throws(EmbeddingError) {
    do throws(EmbeddingError) {
      try file.write(bytes, at: offset)
    } catch {
      failure = error
      throw error
    }
  }
}

extension AtomicFile {
  private struct Target: ~Copyable {
    let file: OpenFile
    let path: String
    let temporary: String?
  }

  private static func open(_ path: String) throws(EmbeddingError) -> Target {
    if path == "-" {
      let file = OpenFile(descriptor: STDOUT_FILENO, name: "standard output", closes: false)
      return Target(file: file, path: path, temporary: nil)
    }
    switch try kind(of: path) {
    case S_IFDIR:
      throw EmbeddingError(
        .alreadyExists, "Could not write \(path): it is a directory; name a file.",
        cause: SystemErrno(rawValue: EISDIR))
    case nil, S_IFREG:
      let path = resolved(path)
      let (folder, name) = split(path)
      let number = counter.wrappingAdd(1, ordering: .relaxed).newValue
      let temporary = "\(folder)/.\(name).\(getpid())-\(number).tmp"
      let file = try OpenFile(
        opening: temporary, flags: O_WRONLY | O_CREAT | O_EXCL, doing: "write \(path) by way of")
      return Target(file: file, path: path, temporary: temporary)
    default:
      let file = try OpenFile(opening: path, flags: O_WRONLY, doing: "open")
      return Target(file: file, path: path, temporary: nil)
    }
  }

  /// What stands at `path`, as the file type bits of its mode; nil if nothing does.
  private static func kind(of path: String) throws(EmbeddingError) -> mode_t? {
    var status = stat()
    do throws(EmbeddingError) {
      try systemCall("Could not look at \(path)") { stat(path, &status) }
    } catch {
      if error.code == .notFound { return nil }
      throw error
    }
    return status.st_mode & S_IFMT
  }

  /// `path` with symbolic links followed, if it exists.
  private static func resolved(_ path: String) -> String {
    guard let pointer = realpath(path, nil) else { return path }
    defer { free(pointer) }
    return String(cString: pointer)
  }

  private static func split(_ path: String) -> (folder: String, file: Substring) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", path[...]) }
    let folder = slash == path.startIndex ? "/" : String(path[..<slash])
    return (folder, path[path.utf8.index(after: slash)...])
  }

  /// Makes a rename within the folder durable.
  private static func syncFolder(of path: String) throws(EmbeddingError) {
    do throws(EmbeddingError) {
      let folder = try OpenFile(
        opening: split(path).folder, flags: O_RDONLY | O_DIRECTORY, doing: "open the folder")
      try folder.sync()
    } catch {
      var error = error
      error.message = "\(path) is written, but a power failure could undo it: \(error.message)"
      throw error
    }
  }
}

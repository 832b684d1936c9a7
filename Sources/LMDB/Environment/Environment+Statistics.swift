import CLMDB
package import StorageBase

extension Environment {
  /// The state of an environment, for people and monitors.
  package struct Statistics: Sendable {
    /// The mapped address space in bytes.
    package var mapSize: Int
    /// The bytes of a page.
    package var pageSize: Int
    /// The bytes of `data.mdb`; it never shrinks.
    package var fileSize: Int
    /// The number of the last page in use.
    package var lastPage: Int
    /// Pages within the file that no commit uses; they are used again before the file grows.
    package var freePages: Int
    /// The reader slots taken, over all processes, and how many there are.
    package var readersInUse: Int
    package var maxReaders: Int
    /// The number of the last commit.
    package var lastTransactionID: UInt64
    /// How many commits the oldest reader lags behind; 0 without readers. A large one keeps pages
    /// from being used again.
    package var oldestReaderLag: UInt64
    /// The version of liblmdb, such as `LMDB 0.9.24: (July 24, 2019)`.
    package var libraryVersion: String
    /// What is wrong with that version; nil for a good one.
    package var versionWarning: String?
  }

  /// A read transaction in the table that all processes share.
  package struct Reader: Sendable, Equatable {
    package var process: Int32
    package var thread: UInt64
    /// The commit that it sees; nil for a slot that is kept but idle.
    package var transactionID: UInt64?
  }

  /// Measures the environment. Walks the list of free pages: some milliseconds for millions.
  package func statistics() throws(EmbeddingError) -> Statistics {
    let oldest = try readers().compactMap(\.transactionID).min()
    return try read { (transaction) throws(EmbeddingError) -> Statistics in
      let freePages = try freePages(transaction.handle.raw)
      return try visit { (environment) throws(EmbeddingError) -> Statistics in
        var info = MDB_envinfo()
        try check(mdb_env_info(environment, &info), "reading statistics")
        var stat = MDB_stat()
        try check(mdb_env_stat(environment, &stat), "reading statistics")
        let last = UInt64(info.me_last_txnid)
        let version = Self.version
        return Statistics(
          mapSize: info.me_mapsize, pageSize: Int(stat.ms_psize), fileSize: try fileSize(path),
          lastPage: info.me_last_pgno, freePages: freePages,
          readersInUse: Int(info.me_numreaders), maxReaders: Int(info.me_maxreaders),
          lastTransactionID: last, oldestReaderLag: last - min(oldest ?? last, last),
          libraryVersion: version.text,
          versionWarning: Self.versionWarning(version.major, version.minor, version.patch))
      }
    }
  }

  /// The reader slots in use, over all processes, those of killed processes included.
  package func readers() throws(EmbeddingError) -> [Reader] {
    try visit { (environment) throws(EmbeddingError) -> [Reader] in
      var text = ""
      let code = withUnsafeMutablePointer(to: &text) { text in
        mdb_reader_list(
          environment,
          { line, text in
            text!.assumingMemoryBound(to: String.self).pointee += String(cString: line!)
            return 0
          }, text)
      }
      guard code >= 0 else { throw lmdbError(code, "listing readers") }
      return parseReaders(text)
    }
  }

  /// Frees the slots of readers whose processes are gone; gives how many.
  package func clearStaleReaders() throws(EmbeddingError) -> Int {
    try visit { (environment) throws(EmbeddingError) -> Int in
      var cleared: Int32 = 0
      try check(mdb_reader_check(environment, &cleared), "looking for stale readers")
      return Int(cleared)
    }
  }

  /// The version of liblmdb that runs.
  package static var version: (major: Int, minor: Int, patch: Int, text: String) {
    var major: Int32 = 0
    var minor: Int32 = 0
    var patch: Int32 = 0
    let text = String(cString: mdb_version(&major, &minor, &patch))
    return (Int(major), Int(minor), Int(patch), text)
  }

  /// What is wrong with a version of liblmdb; nil for a good one.
  package static func versionWarning(_ major: Int, _ minor: Int, _ patch: Int) -> String? {
    if major == 0, minor == 9, (26...31).contains(patch) {
      return "liblmdb 0.9.26 to 0.9.31 destroy the lock of other processes when one closes the "
        + "database: use 0.9.25 or earlier, or 0.9.32 or later, where several processes share one"
    }
    if major >= 1 {
      return "liblmdb 1.0 has another file format than 0.9: databases cannot be exchanged"
    }
    return nil
  }

  private func freePages(_ transaction: OpaquePointer) throws(EmbeddingError) -> Int {
    // Handle 0 is LMDB's own database of free pages: transaction -> count, page numbers.
    var cursor: OpaquePointer?
    try check(mdb_cursor_open(transaction, 0, &cursor), "counting free pages")
    defer { mdb_cursor_close(cursor) }
    var pages = 0
    var key = MDB_val()
    var value = MDB_val()
    while true {
      let code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
      if code == MDB_NOTFOUND { return pages }
      try check(code, "counting free pages")
      pages += value.bytes.loadUnaligned(as: Int.self)
    }
  }
}

/// Reads LMDB's table of readers: process, thread in hexadecimal, transaction or "-".
func parseReaders(_ text: String) -> [Environment.Reader] {
  text.split(separator: "\n").compactMap { line in
    let fields = line.split(separator: " ")
    guard fields.count == 3, let process = Int32(fields[0]),
      let thread = UInt64(fields[1], radix: 16)
    else { return nil }
    return Environment.Reader(
      process: process, thread: thread, transactionID: UInt64(fields[2]))
  }
}

import CLMDB
package import StorageBase

/// Changes a named database with integer keys at a cursor. Keys that rise above all others are added
/// many times faster than by `append`, and pack the pages as full.
///
/// LMDB's append descends the tree for every key. A cursor that stands at the end need not, but
/// splits a full page in two halves. So the cursor puts as long as the page has room by our count,
/// and appends where it has none. A wrong count would cost speed or space, and nothing else.
package struct Appender: ~Copyable {
  private let cursor: Cursor
  private let progress: WriteProgress
  private let pageRoom: Int
  /// What is left of the last page; 0 where it is not known.
  fileprivate private(set) var room: Int

  // A node's header and its place in the page's index, the number of a page.
  private static let nodeSize = 10
  private static let pageNumberSize = 8

  fileprivate init(cursor: consuming Cursor, progress: WriteProgress, pageSize: Int, room: Int) {
    self.cursor = cursor
    self.progress = progress
    pageRoom = pageSize - PageFile.headerSize
    self.room = room
  }

  /// What an entry with a value of `count` bytes takes of a page.
  private func size(ofValue count: Int) -> Int {
    let size = Self.nodeSize + MemoryLayout<UInt64>.size
    // Two entries fit into a page, or the value stands on pages of its own and leaves their number.
    let fits = size + count <= pageRoom / 2 & ~1
    return size + (fits ? (count + 1) & ~1 : Self.pageNumberSize)
  }

  /// Sets the value of a key anywhere in the tree. Keys that come in rising order find the page of the
  /// one before them without a descent.
  package mutating func put(
    _ key: UInt64, _ value: UnsafeRawBufferPointer
  ) throws(EmbeddingError) {
    var value = MDB_val(value)
    try set(key, &value, flags: 0)
  }

  /// Adds a key. Throws `.invalidArgument`, or puts it in its place, where it is not above all
  /// others.
  package mutating func append(
    _ key: UInt64, _ value: UnsafeRawBufferPointer
  ) throws(EmbeddingError) {
    var value = MDB_val(value)
    try add(key, &value, flags: 0)
  }

  /// Gives `key` a value of `count` bytes that the caller writes to the file himself, ahead of the
  /// commit (``PageFile``), and that nobody reads or changes before that.
  ///
  /// - Parameter isLast: whether the key is new and above all others.
  /// - Returns: the number of the first of its pages. Nil where LMDB keeps them in its own hands: the
  ///   value is undefined then until it is ``put(_:_:)``.
  package mutating func reserve(
    _ key: UInt64, count: Int, isLast: Bool
  ) throws(EmbeddingError) -> UInt64? {
    var value = MDB_val(mv_size: count, mv_data: nil)
    if isLast {
      try add(key, &value, flags: UInt32(MDB_RESERVE))
    } else {
      try set(key, &value, flags: UInt32(MDB_RESERVE))
    }
    let page = clmdb_take_pages(mdb_cursor_txn(cursor.raw), value.mv_data)
    return page == 0 ? nil : UInt64(page)
  }

  /// The entry with the least key that is `key` or more. What is lent lasts until the next change.
  package func entry(atOrAfter key: UInt64) throws(EmbeddingError) -> Cursor.Entry? {
    try cursor.seek(atOrAfter: key)
  }

  /// The entry with the greatest key.
  package func lastEntry() throws(EmbeddingError) -> Cursor.Entry? { try cursor.last() }

  /// Removes a key, if it is there.
  package mutating func remove(_ key: UInt64) throws(EmbeddingError) {
    guard try cursor.seek(key) != nil else { return }
    room = 0
    try cursor.deleteCurrent()
  }

  private mutating func set(
    _ key: UInt64, _ value: inout MDB_val, flags: UInt32
  ) throws(EmbeddingError) {
    room = 0
    try progress.check(putAtCursor(key, &value, flags), "writing a value")
  }

  private mutating func add(
    _ key: UInt64, _ value: inout MDB_val, flags: UInt32
  ) throws(EmbeddingError) {
    let size = size(ofValue: value.mv_size)
    let fits = size <= room
    room = fits ? room - size : pageRoom - min(size, pageRoom)
    let place = fits ? 0 : UInt32(MDB_APPEND)
    try progress.check(putAtCursor(key, &value, flags | place), "appending a value")
  }

  private func putAtCursor(_ key: UInt64, _ value: inout MDB_val, _ flags: UInt32) -> Int32 {
    var key = key
    return withUnsafeMutableBytes(of: &key) { bytes in
      var key = MDB_val(mv_size: bytes.count, mv_data: bytes.baseAddress)
      return mdb_cursor_put(cursor.raw, &key, &value, flags)
    }
  }
}

extension WriteTransaction {
  /// Lends an appender to `body`, which changes the database through it alone.
  package func withAppender(
    _ database: NamedDatabase, _ body: (inout Appender) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    var room = 0
    try withAppender(database, room: &room, body)
  }

  /// The same for one of several, one after the other.
  ///
  /// - Parameter room: what the one before left of its last page, if nothing was added since; 0 to
  ///   begin a page.
  package func withAppender(
    _ database: NamedDatabase, room: inout Int,
    _ body: (inout Appender) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    precondition(database.hasIntegerKeys, "the named database has byte-string keys")
    try handle.check(database)
    var stat = MDB_stat()
    try LMDB.check(mdb_stat(handle.raw, database.dbi, &stat), "reading statistics")
    var raw: OpaquePointer?
    try LMDB.check(mdb_cursor_open(handle.raw, database.dbi, &raw), "opening a cursor")
    let cursor = Cursor(raw: raw!, hasIntegerKeys: true, progress: state)
    var appender = Appender(
      cursor: cursor, progress: state, pageSize: Int(stat.ms_psize), room: room)
    try body(&appender)
    room = appender.room
  }
}

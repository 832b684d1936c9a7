import LMDB
import StorageBase

/// Changes the id tree of a table with Int64 ids, in the order of its keys: each page (``IDPage``) is
/// read, changed and written once, whatever changes in it.
///
/// A page that has become too full is written as several of the same size; behind the end of the tree
/// as full ones, so that ids which come in rising order pack them. One that has lost most of its ids
/// goes, and what is left of it joins the next.
struct IDPageEditor {
  private let storage: TableStorage
  /// The page that is open.
  private var open: OpenPage?
  /// What it held: keys, then row numbers; and how many of its ids have been passed.
  private var old: [UInt64] = []
  private var passed = 0
  /// What it is to hold, as far as the edits have come.
  private var keys: [UInt64] = []
  private var rows: [UInt64] = []
  /// A page on its way to the tree.
  private var words: [UInt64] = []
  /// Bytes of pages since some were last written ahead of the commit.
  private var bytesInMemory = 0

  private struct OpenPage {
    /// The key that it stands under; that of a page behind the end of the tree, which is not there
    /// yet, exceeds all.
    var key: UInt64
    var isBehindEnd: Bool
  }

  /// Fewer ids than these join the next page.
  private static let fewest = IDPage.capacity / 4

  init(_ storage: TableStorage) {
    self.storage = storage
    keys.reserveCapacity(3 * IDPage.capacity)
    rows.reserveCapacity(3 * IDPage.capacity)
    old.reserveCapacity(2 * IDPage.capacity)
    words.reserveCapacity(1 + 2 * IDPage.capacity)
  }

  /// The row number under `key`; nil where there is none. Keys never fall from one call to the next.
  mutating func row(
    under key: UInt64, in tree: inout Appender
  ) throws(EmbeddingError) -> UInt64? {
    try reach(key, in: &tree)
    return isAt(key) ? old[old.count / 2 + passed] : nil
  }

  /// Puts a row number under `key`, or none. Keys rise from one call to the next.
  mutating func set(
    _ key: UInt64, row: UInt64?, in tree: inout Appender
  ) throws(EmbeddingError) {
    try reach(key, in: &tree)
    if isAt(key) { passed += 1 }
    guard let row else { return }
    keys.append(key)
    rows.append(row)
  }

  /// Writes pages to the file, ahead of the commit, once there are so many bytes of them.
  mutating func writeAhead(
    beyond limit: Int, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard bytesInMemory >= limit else { return }
    try transaction.writeAhead(storage.ids)
    bytesInMemory = 0
  }

  /// Writes what is still open to the tree.
  mutating func finish(in tree: inout Appender) throws(EmbeddingError) {
    while let page = open { try close(page, in: &tree) }
  }

  private func isAt(_ key: UInt64) -> Bool { passed < old.count / 2 && old[passed] == key }

  /// Opens the page of `key`, and passes what precedes it.
  private mutating func reach(_ key: UInt64, in tree: inout Appender) throws(EmbeddingError) {
    while let page = open, page.key < key { try close(page, in: &tree) }
    let page = if let open { open } else { try open(for: key, in: &tree) }
    var end = passed
    while end < old.count / 2, old[end] < key { end += 1 }
    pass(upTo: end)
    // Many new ids may stand between two old ones.
    if keys.count >= 2 * IDPage.capacity {
      try write(IDPage.capacity, of: page, in: &tree)
    }
  }

  private mutating func pass(upTo end: Int) {
    let half = old.count / 2
    for index in passed..<end {
      keys.append(old[index])
      rows.append(old[half + index])
    }
    passed = end
  }

  /// Opens the page that has `key`, or is to have it. What is in hand, if anything, stays part of it.
  private mutating func open(
    for key: UInt64, in tree: inout Appender
  ) throws(EmbeddingError) -> OpenPage {
    old.removeAll(keepingCapacity: true)
    passed = 0
    let page: OpenPage
    if let entry = try tree.entry(atOrAfter: key) {
      page = OpenPage(key: entry.key, isBehindEnd: false)
      try intact(entry).append(to: &old)
    } else {
      // The last page takes what follows it, under another key.
      page = OpenPage(key: .max, isBehindEnd: true)
      if let entry = try tree.lastEntry() {
        try intact(entry).append(to: &old)
        try tree.remove(entry.key)
        keys.insert(contentsOf: old[..<(old.count / 2)], at: 0)
        rows.insert(contentsOf: old[(old.count / 2)...], at: 0)
        old.removeAll(keepingCapacity: true)
      }
    }
    open = page
    return page
  }

  private func intact(_ entry: Cursor.Entry) throws(EmbeddingError) -> IDPage {
    let page = try storage.idPage(entry.value)
    guard page.isIntact(under: entry.key) else {
      throw storage.corruption("a page of ids does not match its checksum")
    }
    return page
  }

  private mutating func close(
    _ page: OpenPage, in tree: inout Appender
  ) throws(EmbeddingError) {
    pass(upTo: old.count / 2)
    open = nil
    if page.isBehindEnd {
      while !keys.isEmpty {
        try write(min(keys.count, IDPage.capacity), of: page, in: &tree)
      }
    } else if keys.count < Self.fewest {
      try tree.remove(page.key)
      if !keys.isEmpty { _ = try open(for: page.key, in: &tree) }
    } else {
      var parts = (keys.count + IDPage.capacity - 1) / IDPage.capacity
      while parts > 0 {
        try write(keys.count / parts, of: page, in: &tree)
        parts -= 1
      }
    }
  }

  /// Writes the first ids in hand as a page of their own; the last of those that take the place of an
  /// old one stands under its key.
  private mutating func write(
    _ count: Int, of page: OpenPage, in tree: inout Appender
  ) throws(EmbeddingError) {
    let key = count == keys.count && !page.isBehindEnd ? page.key : keys[count - 1]
    IDPage.encode(keys: keys[..<count], rows: rows[..<count], under: key, to: &words)
    keys.removeFirst(count)
    rows.removeFirst(count)
    bytesInMemory += BlockLayout.pageSize
    let isBehindEnd = page.isBehindEnd
    try words.span.bytes.withUnsafeBytes { (value) throws(EmbeddingError) in
      if isBehindEnd { try tree.append(key, value) } else { try tree.put(key, value) }
    }
  }
}

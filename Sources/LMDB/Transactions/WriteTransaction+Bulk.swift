import CLMDB
package import StorageBase

/// What loading many values at once needs.
extension WriteTransaction {
  /// Writes the pages changed so far to the file, ahead of the commit, frees their memory, and lets
  /// the disk begin with them. The commit stays what decides: until then nothing of it can be seen.
  ///
  /// LMDB keeps changed pages in memory until there are 131,071 of them, a value of many pages
  /// counting as one: 512 MiB of small values, but 1 GiB where each fills two pages. It writes pages
  /// out earlier only to make room for the next put, by that put's size. So here is one of the
  /// largest size that LMDB takes. It can never take place, since it would replace the record of the
  /// named database `database`, and LMDB refuses that (`MDB_INCOMPATIBLE`) after it has made room. A
  /// version that refused it sooner would write nothing ahead, which costs memory and nothing else.
  ///
  /// LMDB keeps a list of the pages written ahead, so that one that changes again can be written where
  /// it stands, sorts it each time, and searches it for each page that it looks at: 0.2 s of a load of
  /// 1.2 GB. `forgetting` takes these pages off the list again. They then count as any
  /// page of the file: one that changes again gets a new place, and its old one is free after the
  /// commit. So it is for values that are written once. Only with versions of LMDB whose transactions
  /// are known (``clmdb_forgotten_list``); nothing changes with others.
  package func writeAhead(
    _ database: NamedDatabase, forgetting: Bool = false
  ) throws(EmbeddingError) {
    try handle.check(database)
    let list = forgetting ? clmdb_forgotten_list(handle.raw) : nil
    let before = list.map { Self.pages($0.pointee) }
    defer {
      if let list, let before { Self.setPages(list.pointee, before) }
    }
    var unnamed: MDB_dbi = 0
    try state.check(mdb_dbi_open(handle.raw, nil, 0, &unnamed), "opening the unnamed database")
    var value = MDB_val(mv_size: Self.largestValue, mv_data: nil)
    let code = Array(database.name.utf8).withUnsafeBytes { name in
      var key = MDB_val(name)
      return mdb_put(handle.raw, unnamed, &key, &value, 0)
    }
    precondition(code != MDB_SUCCESS, "LMDB replaced the record of a named database")
    if code != MDB_INCOMPATIBLE { try state.check(code, "writing pages ahead of the commit") }
    startWriteback()
  }

  /// What is in a list of pages, which begins with its length.
  private static func pages(_ list: UnsafeMutableRawPointer?) -> [UInt] {
    guard let words = list?.assumingMemoryBound(to: UInt.self) else { return [] }
    return Array(UnsafeBufferPointer(start: words + 1, count: Int(words[0])))
  }

  /// Makes a list, which holds no fewer now, what it was before.
  private static func setPages(_ list: UnsafeMutableRawPointer?, _ pages: [UInt]) {
    guard let words = list?.assumingMemoryBound(to: UInt.self) else { return }
    guard Int(words[0]) >= pages.count else { return }
    words[0] = UInt(pages.count)
    for (i, page) in pages.enumerated() { words[1 + i] = page }
  }

  /// The largest value that LMDB takes, less one page: 4 GiB.
  private static var largestValue: Int { 0xffff_ffff - 4096 }

  /// Has the system begin to write what stands in its page cache, so that the disk works while the
  /// transaction goes on; the commit still waits for all of it.
  private func startWriteback() {
    guard environment.options.durability != .noSync else { return }
    var descriptor: Int32 = -1
    guard mdb_env_get_fd(mdb_txn_env(handle.raw), &descriptor) == MDB_SUCCESS else { return }
    // Only a hint: the commit syncs, and reports what fails.
    clmdb_start_writeback(descriptor)
  }
}

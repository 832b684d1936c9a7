import StorageBase
import Synchronization

/// The bytes of memory that a database may use, for the rows that its tables cache, for the pages
/// that a commit writes, and for what helps lookups past the cache.
///
/// Counted as cached are the rows, their index and the bytes of their ids: everything that grows
/// with the number of rows. A quarter is for what a commit needs while it is written: lists of its
/// rows, copies of those that change meanwhile, and the pages that LMDB has not written yet
/// (``bytesAhead``). A quarter is for row numbers and block addresses (``RowNumberCache``,
/// ``BlockAddresses``): 5 or 6 bytes make a lookup that misses the cache several times as fast, where
/// a cached row takes hundreds. A read-only database has nothing else.
///
/// Rows that wait for a commit may be more than fit: unless the user forbids it, they *overflow* into a
/// scratch file (``ScratchFile``), whose pages are the system's to write out and to take back, like
/// those of the database. So a commit comes when rows are many enough to be worth it, and not as soon
/// as memory is full: of rows that are changed at random, each costs a write of its block at a place
/// of its own, however few or many they are, but those that change again until then cost only one.
final class CacheBudget: Sendable {
  /// What the user set, in bytes.
  let total: Int
  /// Bytes for cached rows.
  let limit: Int
  /// Bytes for what a commit needs.
  let commitLimit: Int
  /// Bytes of pages that a commit keeps in memory before it writes them to the file.
  var bytesAhead: Int { max(1 << 20, min(32 << 20, commitLimit / 4)) }
  /// Bytes of those that stand in blocks which are being laid out, or wait for it.
  var bytesLaidOut: Int { bytesAhead / 2 }
  /// Bytes for row numbers and block addresses.
  let lookupLimit: Int
  /// Bytes of cached rows beyond `limit` that may stand in the scratch file.
  let overflowLimit: Int
  /// Where the memory of cached rows comes from.
  let regions = RegionPool()
  /// Where that of rows comes from that overflow; nil where none do.
  let scratch: ScratchFile?
  /// Where that of copies comes from that a commit needs.
  let copies: CopyMemory
  private let used = Atomic<Int>(0)
  private let lookups = Atomic<Int>(0)
  private let dirty = Atomic<Int>(0)
  private let commitSize = Atomic<Int>(0)
  private let listSize = Atomic<Int>(0)
  /// Where a file for lists of a commit may be made, the bytes that those may take, and do.
  private let scratchDirectory: String?
  private let listFileLimit: Int
  private let listFiles = Atomic<Int>(0)
  private let overflow = Atomic<Int>(0)
  private let isRefused = Atomic<Bool>(false)

  /// - Parameters:
  ///   - bytes: what the user set.
  ///   - isReadOnly: whether no rows are cached, and no commits made.
  ///   - scratchDirectory: where the scratch file may be made; nil for none.
  ///   - scratchLimit: the bytes that it may take.
  init(bytes: Int, isReadOnly: Bool = false, scratchDirectory: String? = nil, scratchLimit: Int = 0)
  {
    total = bytes
    let scratch = scratchDirectory.flatMap { directory in
      isReadOnly || scratchLimit <= 0
        ? nil : ScratchFile(in: directory, regionBytes: min(2 << 20, scratchLimit / 16))
    }
    self.scratch = scratch
    // An eighth is for copies, a sixteenth for lists.
    listFileLimit = scratch == nil ? 0 : scratchLimit / 16
    overflowLimit = scratch == nil ? 0 : scratchLimit - scratchLimit / 8 - scratchLimit / 16
    self.scratchDirectory = scratchDirectory
    // Where there is hardly room for a batch, all of it is for batches.
    lookupLimit = isReadOnly ? bytes : bytes < 512 << 10 ? 0 : bytes / 4
    commitLimit = lookupLimit == 0 ? bytes / 2 : bytes / 4
    limit = bytes - lookupLimit - commitLimit
    copies = CopyMemory(
      limit: commitLimit, pool: regions, scratch: scratch, scratchLimit: scratchLimit / 8)
  }

  /// The bytes that the scratch file may take where nothing else was said: for a budget of a tenth of
  /// what is trained, room for all of it, with lists and copies; but no more than the system leaves
  /// in memory. Linux begins to write pages out where a tenth of it has changed, and makes those wait
  /// who change more than a fifth.
  static func defaultScratchLimit(
    budget: Int, machineBytes: Int? = SystemMemory.machineBytes
  ) -> Int {
    min(min(budget, .max / 16) * 16, machineBytes.map { $0 / 8 } ?? .max)
  }

  /// Bytes in use for cached rows.
  var usedBytes: Int { used.load(ordering: .relaxed) }

  /// Bytes of cached rows that wait for a commit.
  var dirtyBytes: Int { dirty.load(ordering: .relaxed) }

  /// The bytes that a commit made now would need, beside pages.
  var commitBytes: Int { commitSize.load(ordering: .relaxed) }

  /// Bytes for lists of a commit in memory: there are pages and copies as well.
  private var roomForLists: Double { Double(commitLimit) * 0.6 }

  /// How much of the room for lists a commit made now would need: 1 for all of it.
  var listLoad: Double {
    let (all, lists) = (Double(commitBytes), Double(listSize.load(ordering: .relaxed)))
    let load = all / roomForLists
    guard let scratch, !scratch.isExhausted, listFileLimit > 0 else { return load }
    return min(load, max((all - lists) / roomForLists, lists / Double(listFileLimit)))
  }

  /// Whether there is room for `bytes` of lists, in memory or in the scratch file.
  func hasRoomForLists(_ bytes: Int) -> Bool {
    if let scratch, !scratch.isExhausted, bytes <= listFileLimit { return true }
    return Double(bytes) <= roomForLists
  }

  /// A file for lists that are more than their share of memory, and where it is mapped; nil where they
  /// are not, or it has no room.
  func takeListFile(_ bytes: Int) -> (ScratchFile, UnsafeMutableRawPointer)? {
    // The commit that runs may be as large again by half as the one that was due.
    guard Double(bytes) > roomForLists, let scratchDirectory,
      Self.take(bytes, from: listFiles, limit: 2 * listFileLimit)
    else { return nil }
    let file = ScratchFile(in: scratchDirectory, regionBytes: bytes)
    if let memory = file.take() { return (file, memory) }
    giveBackListFile(bytes)
    return nil
  }

  /// Gives the bytes of such a file back.
  func giveBackListFile(_ bytes: Int) { listFiles.subtract(bytes, ordering: .relaxed) }

  /// Bytes in use for row numbers and block addresses.
  var lookupBytes: Int { lookups.load(ordering: .relaxed) }

  /// Bytes that are left for them.
  var lookupRoom: Int { lookupLimit - lookupBytes }

  /// Bytes of cached rows that stand in the scratch file.
  var overflowBytes: Int { overflow.load(ordering: .relaxed) }

  /// Bytes that rows may take before a commit must have written them, wherever they stand.
  var roomForRows: Int {
    guard let scratch, !scratch.isExhausted, !isRefused.load(ordering: .relaxed) else {
      return limit + overflowBytes
    }
    return limit + overflowLimit
  }

  /// Takes `bytes` for cached rows, or returns false where they are not left.
  func reserve(_ bytes: Int) -> Bool { Self.take(bytes, from: used, limit: limit) }

  /// Takes `bytes` of the scratch file for cached rows, or returns false where they are not left.
  func reserveOverflow(_ bytes: Int) -> Bool {
    Self.take(bytes, from: overflow, limit: overflowLimit)
  }

  /// Notes that a row could not overflow though the file has room: what it needs in memory has none.
  func noteRefusedOverflow() { isRefused.store(true, ordering: .relaxed) }

  /// Gives `bytes` of those back.
  func releaseOverflow(_ bytes: Int) { overflow.subtract(bytes, ordering: .relaxed) }

  /// Gives `bytes` of cached rows back.
  func release(_ bytes: Int) { used.subtract(bytes, ordering: .relaxed) }

  /// Takes `bytes` for row numbers or block addresses, or returns false where they are not left.
  func reserveForLookups(_ bytes: Int) -> Bool {
    Self.take(bytes, from: lookups, limit: lookupLimit)
  }

  /// Gives `bytes` of those back.
  func releaseForLookups(_ bytes: Int) { lookups.subtract(bytes, ordering: .relaxed) }

  private static func take(_ bytes: Int, from count: borrowing Atomic<Int>, limit: Int) -> Bool {
    var current = count.load(ordering: .relaxed)
    while true {
      guard current + bytes <= limit else { return false }
      let (done, actual) = count.compareExchange(
        expected: current, desired: current + bytes, ordering: .relaxed)
      if done { return true }
      current = actual
    }
  }

  /// Counts rows that wait for a commit, or, with negative numbers, no longer do.
  ///
  /// - Parameters:
  ///   - bytes: their own.
  ///   - commitBytes: what a commit needs for them.
  ///   - listBytes: what of that may stand in the scratch file.
  func addDirty(_ bytes: Int, commitBytes: Int, listBytes: Int) {
    dirty.add(bytes, ordering: .relaxed)
    commitSize.add(commitBytes, ordering: .relaxed)
    listSize.add(listBytes, ordering: .relaxed)
  }
}

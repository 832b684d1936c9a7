import CKernels
import StorageBase
import Synchronization

/// Where the blocks of a table stand in the memory map, for the newest commit: a lookup that knows
/// a row's number then reaches its block without a descent in the tree. 8 bytes a block, filled as
/// blocks are met; opening a database reads nothing.
///
/// **What makes an address right.** An entry carries a tag, and at any time the current tag stands
/// for one commit (a transaction number and a place of the map). A batch may use entries only
/// through a ``Lease``, which it gets only if its own read transaction is of that very commit.
/// So an entry with the tag of a lease was stored by a transaction of the same commit, or was
/// carried over from an earlier one in which its block was the same. LMDB uses no page again that
/// an open transaction can see, and moves the map only while none is open: the address is good
/// until the batch ends its transaction. Stale entries are excluded one by one:
///
/// - *A later commit*: its transactions get no lease of this tag. Either the commit tells what it
///   changed (``advance(to:changed:blockCount:)``, while no batch is at work), and the entries of
///   the other blocks stand for it from then on; or nobody does (another process committed, or an
///   import changed too much to list), and the next lease takes a new tag, which drops all entries
///   at once. A block stands alone on pages of its own (``isUsable(byteCount:pageSize:)``), so
///   that a change of a neighbor in the tree does not move it.
/// - *An older transaction*, of a batch that began before the commit: it gets no lease.
/// - *A batch that is still at work under an old tag* stores entries with that tag, which nobody
///   reads: tags are not used again, since when they run out all entries move to new memory, and
///   the old memory lives until that batch has ended.
///
/// Without a lease, or an entry, or room in the budget, a block is found by a descent in the tree.
final class BlockAddresses: Sendable {
  /// A tag in the upper bits of an entry, the address's page of 4096 bytes in the lower ones.
  static let pageBits: UInt64 = 40
  /// Values on pages of their own begin behind LMDB's page header.
  static let pageOffset = UInt(BlockLayout.pageHeaderSize)

  private struct State {
    var directory: BlockDirectory?
    var tag: UInt64 = 0
    /// The commit that the tag stands for.
    var transaction: UInt64 = 0
    var mapMoves: UInt64 = 0
    /// A transaction of which ``advance(to:changed:blockCount:)`` will tell.
    var expected: UInt64 = 0
  }
  private let state = Mutex(State())
  private let budget: CacheBudget
  private let lastTag: UInt64

  /// - Parameters:
  ///   - budget: what the entries are counted in.
  ///   - tagBits: fewer than the default only in tests.
  init(budget: CacheBudget, tagBits: UInt64 = 64 - BlockAddresses.pageBits) {
    self.budget = budget
    lastTag = 1 << tagBits - 1
  }

  /// Whether blocks of a size get overflow pages of their own, as they do with pages of 4096 bytes:
  /// LMDB keeps values of less than half a page in the leaves, which every change copies.
  static func isUsable(byteCount: Int, pageSize: Int) -> Bool { byteCount >= pageSize / 2 }

  /// The right to use the entries in a read transaction, or nil where they are those of another
  /// commit.
  ///
  /// - Parameters:
  ///   - transaction: the number of the read transaction, which must outlive the lease.
  ///   - mapMoves: how often its map has moved.
  ///   - blockCount: at least so many blocks should have entries.
  func lease(transaction: UInt64, mapMoves: UInt64, blockCount: UInt64) -> Lease? {
    state.withLock { state in
      guard transaction >= state.transaction else { return nil }
      let isCurrent = transaction == state.transaction && mapMoves == state.mapMoves
      if isCurrent, let directory = state.directory, blockCount <= directory.capacity {
        return Lease(directory: directory, tag: state.tag)
      }
      // What changed will be told; to drop everything would cost more than this batch's descents.
      if transaction == state.expected { return nil }
      state.transaction = transaction
      state.mapMoves = mapMoves
      state.tag += 1
      if state.tag > lastTag || blockCount > state.directory?.capacity ?? 0 {
        state.directory = BlockDirectory(blockCount: blockCount * 2, budget: budget)
        state.tag = 1
      }
      return state.directory.map { Lease(directory: $0, tag: state.tag) }
    }
  }

  /// Announces a commit before it can be seen: transactions of it get no lease until ``advance`` has
  /// told what it changed. Where the commit fails, its number is used again, by one that is
  /// announced as well or drops all entries.
  func expect(_ transaction: UInt64?) {
    state.withLock { $0.expected = transaction ?? 0 }
  }

  /// Takes over a commit of this process. No batch is at work.
  ///
  /// - Parameters:
  ///   - transaction: its number.
  ///   - changed: the blocks that it wrote.
  ///   - blockCount: how many blocks there are now; those behind them are gone.
  func advance(to transaction: UInt64, changed: some Sequence<Int>, blockCount: UInt64) {
    state.withLock { state in
      state.expected = 0
      // Else something else was committed meanwhile that nobody told of.
      guard state.transaction + 1 == transaction, let directory = state.directory else { return }
      for block in changed { directory.clear(block) }
      directory.clear(from: blockCount)
      state.transaction = transaction
    }
  }

  /// Forgets all, and gives the memory back once the batches at work have ended.
  func removeAll() {
    state.withLock {
      $0.directory = nil
      $0.tag = 0
      $0.expected = 0
    }
  }
}

extension BlockAddresses {
  /// The right to use the entries of one commit, for the time of a read transaction of it.
  struct Lease {
    fileprivate let directory: BlockDirectory
    let tag: UInt64

    /// The chunks of entries, for the kernel that looks ids up; blocks from `capacity` on have none.
    var chunks: UnsafeRawPointer { UnsafeRawPointer(directory.chunks) }
    var capacity: UInt64 { directory.capacity }
    static var chunkShift: UInt64 { BlockDirectory.chunkShift }

    /// Asks for the entry of a block to be brought close.
    @inline(__always)
    func prefetch(_ block: UInt64) {
      if let entry = directory.entry(block) { ck_prefetch(entry) }
    }

    /// The address of a block's value, or nil where it is not known.
    @inline(__always)
    subscript(block: UInt64) -> UnsafeRawPointer? {
      guard let entry = directory.entry(block)?.pointee.load(ordering: .relaxed),
        entry >> BlockAddresses.pageBits == tag
      else { return nil }
      let page = UInt(truncatingIfNeeded: entry & (1 << BlockAddresses.pageBits - 1))
      return UnsafeRawPointer(bitPattern: page << 12 | BlockAddresses.pageOffset)
    }

    /// Notes the address of a block's value.
    func store(_ block: UInt64, at address: UnsafeRawPointer) {
      let bits = UInt(bitPattern: address)
      let page = UInt64(bits >> 12)
      guard bits & 4095 == BlockAddresses.pageOffset, page >> BlockAddresses.pageBits == 0 else {
        return
      }
      directory.entryMakingRoom(block)?.pointee.store(
        tag << BlockAddresses.pageBits | page, ordering: .relaxed)
    }
  }
}

/// The entries of ``BlockAddresses``, in chunks that are allocated as they are needed.
private final class BlockDirectory: @unchecked Sendable {
  // Unchecked: entries and pointers to chunks are atomic, and the chunks live as long as this.
  typealias Chunk = UnsafeMutablePointer<Atomic<UInt64>>
  static let chunkShift: UInt64 = 12
  static let chunkEntries = 1 << Int(chunkShift)

  let capacity: UInt64
  fileprivate let chunks: UnsafeMutablePointer<Atomic<Chunk?>>
  private let chunkCount: Int
  private let budget: CacheBudget

  /// Room for `blockCount` blocks; nil where the budget has none for the list of chunks.
  init?(blockCount: UInt64, budget: CacheBudget) {
    chunkCount = Int(blockCount >> Self.chunkShift) + 1
    capacity = UInt64(chunkCount) << Self.chunkShift
    guard budget.reserveForLookups(chunkCount * 8) else { return nil }
    self.budget = budget
    chunks = .allocate(capacity: chunkCount)
    for i in 0..<chunkCount { (chunks + i).initialize(to: Atomic(nil)) }
  }

  deinit {
    var bytes = chunkCount * 8
    for i in 0..<chunkCount {
      guard let chunk = chunks[i].load(ordering: .relaxed) else { continue }
      chunk.deallocate()
      bytes += Self.chunkEntries * 8
    }
    chunks.deallocate()
    budget.releaseForLookups(bytes)
  }

  /// The entry of a block, or nil where its chunk was not made.
  @inline(__always)
  func entry(_ block: UInt64) -> Chunk? {
    guard block < capacity,
      let chunk = chunks[Int(block >> Self.chunkShift)].load(ordering: .acquiring)
    else { return nil }
    return chunk + (Int(block) & (Self.chunkEntries - 1))
  }

  /// The entry of a block, or nil where the budget has no room for its chunk.
  func entryMakingRoom(_ block: UInt64) -> Chunk? {
    if let entry = entry(block) { return entry }
    guard block < capacity, budget.reserveForLookups(Self.chunkEntries * 8) else { return nil }
    let chunk = Chunk.allocate(capacity: Self.chunkEntries)
    for i in 0..<Self.chunkEntries { (chunk + i).initialize(to: Atomic(0)) }
    let place = chunks + Int(block >> Self.chunkShift)
    let (isOurs, _) = place.pointee.compareExchange(
      expected: nil, desired: chunk, ordering: .acquiringAndReleasing)
    if !isOurs {
      // Another thread was faster.
      chunk.deallocate()
      budget.releaseForLookups(Self.chunkEntries * 8)
    }
    return entry(block)
  }

  func clear(_ block: Int) { entry(UInt64(block))?.pointee.store(0, ordering: .relaxed) }

  /// Clears the entries of all blocks from `first` on.
  func clear(from first: UInt64) {
    var block = first
    while block < capacity {
      if let entry = entry(block) {
        entry.pointee.store(0, ordering: .relaxed)
        block += 1
      } else {
        block = (block >> Self.chunkShift + 1) << Self.chunkShift
      }
    }
  }
}

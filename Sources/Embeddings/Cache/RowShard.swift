import CKernels
import StorageBase

/// What the shards of a table have in common.
struct ShardContext: Sendable {
  let layout: CacheLayout
  let budget: CacheBudget
  let slabs: SlabMemory
  let indexes: IndexMemory
  let counts: CommittedCounts
  let pins: RowPins
  /// How many rows of a shard may be on probation.
  let mostOnProbation: Int
}

/// One shard of a table's cache: rows in slabs, found through an index.
///
/// Rows stand in numbered slots. A slab holds the headers of its rows, then their floats (vector
/// and slots side by side), then for byte-string ids the ids. The unsafe code
/// here and in the extensions is the cache's own memory; a shard is only ever touched under its
/// lock.
struct RowShard: ~Copyable {
  let number: Int
  let context: ShardContext
  let layout: CacheLayout

  /// The slabs.
  var slabs: UnsafeMutablePointer<UnsafeMutableRawPointer>
  var slabCount = 0
  private var slabCapacity = 4
  /// Which of them stand in the scratch file.
  private var overflowSlabs: [Int] = []
  /// Bytes by which the index grew for them.
  private var overflowIndexBytes = 0

  var index: RowIndex

  /// The first free slot, or -1. Free slots are linked through their headers' hashes.
  var freeSlot = -1
  /// Slots that hold a row.
  var occupiedCount = 0
  /// Those among them that must not be evicted.
  var heldCount = 0
  /// Where the clock hand stands.
  var hand = 0
  /// Slots of rows on probation.
  var probationCount = 0
  /// Where the clock hand stands that goes round among those.
  var probationHand = 0
  /// What happened to ids here since the table was opened.
  var life = LifeCounts()
  /// Counts that do not fit into headers, by slot.
  var wide: [Int: RowCounts] = [:]

  /// Rows that changed since a commit was last asked for.
  var dirty = Turn(number: 1)
  /// What they add to the memory that a commit needs.
  var commitBytes = 0
  /// What of that the budget does not know yet.
  var unreported = (rows: 0, commitBytes: 0)
  /// How many held rows, and rows on probation, the table knows of.
  var reportedHeldCount = 0
  /// Rows that a commit was asked for, which has not begun; and those that the commit under way
  /// writes.
  var waiting = FixedTurns()
  var waitingCopies: RowCopies
  var running = FixedTurns()
  var runningCopies: RowCopies

  init(number: Int, context: ShardContext) {
    self.number = number
    self.context = context
    layout = context.layout
    slabs = .allocate(capacity: slabCapacity)
    index = RowIndex(bucketCount: 1, in: context.indexes)
    waitingCopies = RowCopies(rowFloats: context.layout.rowFloats, budget: context.budget)
    runningCopies = RowCopies(rowFloats: context.layout.rowFloats, budget: context.budget)
  }

  deinit {
    freeSlabs()
    slabs.deallocate()
    index.free(to: context.indexes)
  }

  // MARK: Memory of a slot

  @inline(__always)
  func header(_ slot: Int) -> UnsafeMutablePointer<RowHeader> {
    slabs[slot &>> layout.rowsPerSlabShift].assumingMemoryBound(to: RowHeader.self)
      + (slot & layout.slotMask)
  }

  /// The row's vector, directly followed by its slots.
  @inline(__always)
  func floats(_ slot: Int) -> UnsafeMutablePointer<Float> {
    (slabs[slot &>> layout.rowsPerSlabShift] + layout.floatsOffset)
      .assumingMemoryBound(to: Float.self)
      + (slot & layout.slotMask) &* layout.rowFloats
  }

  /// Where the id's bytes stand, in a shard of byte-string ids.
  @inline(__always)
  func storedID(_ slot: Int) -> StoredID {
    StoredID(
      place: slabs[slot &>> layout.rowsPerSlabShift] + layout.idsOffset
        + (slot & layout.slotMask) &* StoredID.stride)
  }

  /// The bytes of the id of a row; empty in a shard of Int64 ids.
  @inline(__always)
  func idBytes(_ slot: Int) -> UnsafeRawBufferPointer {
    guard layout.hasBytes else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return storedID(slot).bytes
  }

  // MARK: Slabs

  /// Adds a slab of free slots, and room for them in the index; false where the budget is spent.
  mutating func addSlab() -> Bool {
    let (buckets, growth) = indexGrowth()
    guard context.budget.reserve(context.slabs.slabBytes + growth) else { return false }
    addSlab(context.slabs.take(), bucketCount: buckets)
    return true
  }

  /// Adds a slab in the scratch file; false where that has no room. What the index takes for its
  /// rows is counted with all else that helps to find rows past the budget's own.
  mutating func addOverflowSlab() -> Bool {
    let bytes = context.slabs.slabBytes
    guard context.budget.reserveOverflow(bytes) else { return false }
    let (buckets, growth) = indexGrowth()
    guard growth == 0 || context.budget.reserveForLookups(growth) else {
      context.budget.releaseOverflow(bytes)
      context.budget.noteRefusedOverflow()
      return false
    }
    guard let slab = context.slabs.takeOverflow() else {
      context.budget.releaseOverflow(bytes)
      context.budget.noteRefusedOverflow()
      if growth > 0 { context.budget.releaseForLookups(growth) }
      return false
    }
    overflowSlabs.append(slabCount)
    overflowIndexBytes += growth
    addSlab(slab, bucketCount: buckets)
    return true
  }

  /// The buckets that the index needs for one more slab, and the bytes that they add.
  private func indexGrowth() -> (bucketCount: Int, bytes: Int) {
    let slots = (slabCount + 1) << layout.rowsPerSlabShift
    var buckets = index.bucketCount
    while RowIndex.capacity(buckets) < slots { buckets = buckets + buckets / 3 + 1 }
    return (buckets, RowIndex.bytes(buckets) - RowIndex.bytes(index.bucketCount))
  }

  private mutating func addSlab(_ slab: UnsafeMutableRawPointer, bucketCount: Int) {
    if bucketCount > index.bucketCount { rebuildIndex(bucketCount: bucketCount) }
    if slabCount == slabCapacity { growSlabList() }
    slabs[slabCount] = slab
    slabCount += 1
    let slots = slabCount << layout.rowsPerSlabShift
    for slot in (slots - layout.rowsPerSlab..<slots).reversed() { putFree(slot) }
  }

  private mutating func growSlabList() {
    let larger = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(capacity: slabCapacity * 2)
    larger.initialize(from: slabs, count: slabCount)
    slabs.deallocate()
    slabs = larger
    slabCapacity *= 2
  }

  /// Makes the index anew from the headers, in the order in which they stand in memory.
  private mutating func rebuildIndex(bucketCount: Int) {
    index.free(to: context.indexes)
    index = RowIndex(bucketCount: bucketCount, in: context.indexes)
    for slot in 0..<slabCount << layout.rowsPerSlabShift {
      let header = header(slot).pointee
      if header.flags.contains(.occupied) { index.enter(slot, hash: header.hash) }
    }
  }

  /// Puts a slot without a row at the head of the free list.
  mutating func putFree(_ slot: Int) {
    header(slot).initialize(
      to: RowHeader(hash: UInt64(bitPattern: Int64(freeSlot)), row: RowHeader.noRow))
    freeSlot = slot
  }

  /// Takes a slot off the free list, or returns -1.
  mutating func takeFreeSlot() -> Int {
    let slot = freeSlot
    if slot >= 0 { freeSlot = Int(Int64(bitPattern: header(slot).pointee.hash)) }
    return slot
  }

  /// Gives the slabs and ids back.
  private func freeSlabs() {
    // A forked child cannot reach slabs in the scratch file: its copy of the rest is left as it is.
    if !overflowSlabs.isEmpty, context.budget.scratch?.isOwn == false { return }
    for slot in 0..<slabCount << layout.rowsPerSlabShift {
      let header = header(slot).pointee
      guard header.flags.contains(.occupied) else { continue }
      if layout.hasBytes { releaseID(slot) }
      if header.row != RowHeader.noRow { context.counts.addCached(-1) }
    }
    var overflow = overflowSlabs[...]
    for number in 0..<slabCount {
      if overflow.first == number {
        overflow.removeFirst()
        context.slabs.giveBackOverflow(slabs[number])
      } else {
        context.slabs.giveBack(slabs[number])
      }
    }
    context.budget.release((slabCount - overflowSlabs.count) * context.slabs.slabBytes)
    context.budget.releaseOverflow(overflowSlabs.count * context.slabs.slabBytes)
    context.budget.release(
      RowIndex.bytes(index.bucketCount) - RowIndex.bytes(1) - overflowIndexBytes)
    context.budget.releaseForLookups(overflowIndexBytes)
    context.budget.addDirty(
      -dirty.slots.count * layout.rowBytes, commitBytes: -commitBytes,
      listBytes: -dirty.slots.count * CacheLayout.listBytes)
  }

  /// Gives all memory back; every row is forgotten, dirty ones too.
  mutating func removeAllRows() {
    _ = context.pins.letsGo()
    forgetProbation()
    freeSlabs()
    slabCount = 0
    overflowSlabs = []
    overflowIndexBytes = 0
    dirty.slots = []
    commitBytes = 0
    waiting = FixedTurns()
    waitingCopies = RowCopies(rowFloats: layout.rowFloats, budget: context.budget)
    running = FixedTurns()
    runningCopies = RowCopies(rowFloats: layout.rowFloats, budget: context.budget)
    wide = [:]
    freeSlot = -1
    occupiedCount = 0
    heldCount = 0
    hand = 0
    probationHand = 0
    index.free(to: context.indexes)
    index = RowIndex(bucketCount: 1, in: context.indexes)
  }

  // MARK: Ids

  /// Copies the bytes of an id; false where the budget is spent.
  mutating func storeID(_ bytes: UnsafeRawBufferPointer, slot: Int) -> Bool {
    let allocation = StoredID.allocation(bytes.count)
    guard allocation == 0 || context.budget.reserve(allocation) else { return false }
    storedID(slot).store(bytes)
    return true
  }

  func releaseID(_ slot: Int) {
    let freed = storedID(slot).release()
    if freed > 0 { context.budget.release(freed) }
  }
}

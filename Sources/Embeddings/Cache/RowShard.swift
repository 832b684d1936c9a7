import CKernels
import StorageBase

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The shape of the rows in a cache.
struct CacheLayout: Sendable {
  /// Floats in a vector.
  let dimension: Int
  /// Floats of optimizer state behind the vector.
  let slotCount: Int
  /// Whether rows carry the bytes of their ids.
  let hasBytes: Bool
  /// Rows in one slab, a power of two.
  let rowsPerSlabShift: Int
  /// Bytes that a commit writes for a block of which a row changed.
  let blockBytes: Int

  var rowFloats: Int { dimension + slotCount }
  var rowsPerSlab: Int { 1 << rowsPerSlabShift }
  /// Bytes of one row in a slab: header, floats, and a pointer to the id's bytes.
  var rowBytes: Int {
    MemoryLayout<RowHeader>.stride + rowFloats * 4 + (hasBytes ? 8 : 0)
  }
  var slabBytes: Int { rowBytes << rowsPerSlabShift }
}

/// One shard of a table's cache: rows in slabs, found through an open-addressing index.
///
/// Rows stand in numbered slots. A slab holds the headers of its rows, then their floats (vector
/// and slots side by side), then for byte-string ids a pointer to the id's bytes. The unsafe code
/// here and in the extensions is the cache's own memory; a shard is only ever touched under the
/// lock of its `Mutex`.
struct RowShard: ~Copyable {
  let layout: CacheLayout
  let budget: CacheBudget
  let changedBlocks: ChangedBlocks

  /// The slabs; nil where one was given back.
  var slabs: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  var slabCount = 0
  private var slabCapacity = 4

  /// Index entries: the low 32 bits of the hash above, the slot + 1 below; 0 is empty.
  var index: UnsafeMutablePointer<UInt64>
  /// The index's size - 1; the size is a power of two.
  var indexMask: Int

  /// The first free slot, or -1. Free slots are linked through their headers' keys.
  var freeSlot = -1
  /// Slots that hold a row.
  var occupiedCount = 0
  /// Where the clock hand stands.
  var hand = 0
  /// The slots of dirty rows, each once, in the order in which they became dirty.
  var dirtySlots: [UInt32] = []
  /// What they add to the size of a commit.
  var commitBytes = 0

  init(layout: CacheLayout, budget: CacheBudget, changedBlocks: ChangedBlocks) {
    self.layout = layout
    self.budget = budget
    self.changedBlocks = changedBlocks
    slabs = .allocate(capacity: slabCapacity)
    slabs.initialize(repeating: nil, count: slabCapacity)
    let size = 16
    index = .allocate(capacity: size)
    index.initialize(repeating: 0, count: size)
    indexMask = size - 1
  }

  deinit {
    freeSlabs()
    slabs.deallocate()
    index.deallocate()
  }

  // MARK: Memory of a slot

  @inline(__always)
  private func slab(_ slot: Int) -> UnsafeMutableRawPointer {
    slabs[slot >> layout.rowsPerSlabShift].unsafelyUnwrapped
  }

  @inline(__always)
  func header(_ slot: Int) -> UnsafeMutablePointer<RowHeader> {
    slab(slot).assumingMemoryBound(to: RowHeader.self) + (slot & (layout.rowsPerSlab - 1))
  }

  /// The row's vector, directly followed by its slots.
  @inline(__always)
  func floats(_ slot: Int) -> UnsafeMutablePointer<Float> {
    let offset = MemoryLayout<RowHeader>.stride << layout.rowsPerSlabShift
    return (slab(slot) + offset).assumingMemoryBound(to: Float.self)
      + (slot & (layout.rowsPerSlab - 1)) * layout.rowFloats
  }

  /// Where the pointer to the id's bytes stands, in a shard of byte-string ids. The pointee starts
  /// with the number of bytes as UInt32.
  @inline(__always)
  func idPointer(_ slot: Int) -> UnsafeMutablePointer<UnsafeMutableRawPointer?> {
    // The floats before it may be an odd number: the pointers are aligned up to 8 bytes.
    let floats = layout.rowFloats * 4 << layout.rowsPerSlabShift
    let offset = MemoryLayout<RowHeader>.stride << layout.rowsPerSlabShift + (floats + 7) & ~7
    return (slab(slot) + offset).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
      + (slot & (layout.rowsPerSlab - 1))
  }

  /// The bytes of the id of a row, in a shard of byte-string ids.
  func idBytes(_ slot: Int) -> UnsafeRawBufferPointer {
    let pointer = idPointer(slot).pointee.unsafelyUnwrapped
    return UnsafeRawBufferPointer(
      start: pointer + 4, count: Int(pointer.load(as: UInt32.self)))
  }

  // MARK: Slabs

  /// Adds a slab of free slots, and room for them in the index; false where the budget is spent.
  mutating func addSlab() -> Bool {
    let bytes = layout.slabBytes + 8
    let slots = liveSlabCount * layout.rowsPerSlab + layout.rowsPerSlab
    var size = indexMask + 1
    while slots * 5 > size * 4 { size *= 2 }
    let growth = size - (indexMask + 1)
    guard budget.reserve(bytes + growth * 8) else { return false }
    if growth > 0 { rebuildIndex(size: size) }
    var number = 0
    while number < slabCount, slabs[number] != nil { number += 1 }
    if number == slabCount {
      if slabCount == slabCapacity { growSlabList() }
      slabCount += 1
    }
    // Aligned to cache lines, so that rows of 16 floats and their multiples are as well.
    var memory: UnsafeMutableRawPointer?
    let status = posix_memalign(&memory, 64, bytes)
    precondition(status == 0, "out of memory: a cache slab of \(bytes) bytes")
    slabs[number] = memory
    let first = number << layout.rowsPerSlabShift
    for slot in (first..<first + layout.rowsPerSlab).reversed() { free(slot) }
    return true
  }

  var liveSlabCount: Int {
    (0..<slabCount).count { slabs[$0] != nil }
  }

  private mutating func growSlabList() {
    let larger = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: slabCapacity * 2)
    larger.initialize(repeating: nil, count: slabCapacity * 2)
    larger.update(from: slabs, count: slabCount)
    slabs.deallocate()
    slabs = larger
    slabCapacity *= 2
  }

  /// Puts a slot without a row at the head of the free list.
  mutating func free(_ slot: Int) {
    header(slot).initialize(
      to: RowHeader(key: UInt64(bitPattern: Int64(freeSlot)), lastStep: 0, frequency: 0, row: 0))
    freeSlot = slot
  }

  /// Takes a slot off the free list, or returns -1.
  mutating func takeFreeSlot() -> Int {
    let slot = freeSlot
    if slot >= 0 { freeSlot = Int(Int64(bitPattern: header(slot).pointee.key)) }
    return slot
  }

  /// Gives the slabs and ids back.
  private func freeSlabs() {
    for number in 0..<slabCount {
      guard let memory = slabs[number] else { continue }
      if layout.hasBytes {
        let first = number << layout.rowsPerSlabShift
        for slot in first..<first + layout.rowsPerSlab
        where header(slot).pointee.flags.contains(.occupied) {
          releaseID(slot)
        }
      }
      releaseSlab(memory)
      slabs[number] = nil
      budget.release(layout.slabBytes + 8)
    }
    budget.release((indexMask + 1 - 16) * 8)
    budget.addDirty(-dirtySlots.count * layout.rowBytes, commitBytes: -commitBytes)
  }

  /// Gives all memory back; every row is forgotten, dirty ones too.
  mutating func removeAllRows() {
    freeSlabs()
    slabCount = 0
    dirtySlots = []
    commitBytes = 0
    freeSlot = -1
    occupiedCount = 0
    hand = 0
    index.deallocate()
    index = .allocate(capacity: 16)
    index.initialize(repeating: 0, count: 16)
    indexMask = 15
  }

  // MARK: Ids

  static func idAllocation(_ count: Int) -> Int { (count + 4 + 15) & ~15 + 16 }

  /// Copies the bytes of an id; false where the budget is spent.
  mutating func storeID(_ bytes: UnsafeRawBufferPointer, slot: Int) -> Bool {
    guard budget.reserve(Self.idAllocation(bytes.count)) else { return false }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes.count + 4, alignment: 8)
    memory.storeBytes(of: UInt32(bytes.count), as: UInt32.self)
    (memory + 4).copyMemory(from: bytes.baseAddress.unsafelyUnwrapped, byteCount: bytes.count)
    idPointer(slot).initialize(to: memory)
    return true
  }

  func releaseID(_ slot: Int) {
    guard let memory = idPointer(slot).pointee else { return }
    budget.release(Self.idAllocation(Int(memory.load(as: UInt32.self))))
    memory.deallocate()
    idPointer(slot).pointee = nil
  }
}

/// `free`, which `RowShard` has a function of its own by the name of.
private func releaseSlab(_ memory: UnsafeMutableRawPointer) { free(memory) }

import StorageBase

/// A block in the memory map, read in place. Valid as long as its transaction.
struct BlockView {
  let layout: BlockLayout
  let number: UInt64
  let bytes: UnsafeRawBufferPointer

  private var start: UnsafeRawPointer { bytes.baseAddress.unsafelyUnwrapped }

  var storedChecksum: UInt64 { start.loadUnaligned(as: UInt64.self) }

  var isIntact: Bool {
    storedChecksum
      == layout.checksum(bytes, content: layout.contentHash(bytes, number: number))
  }

  /// The generation of the commit that last wrote a row.
  func generation(_ index: Int) -> UInt64 {
    start.loadUnaligned(fromByteOffset: layout.generationsOffset + 8 * index, as: UInt64.self)
  }

  func key(_ index: Int) -> UInt64 {
    start.loadUnaligned(fromByteOffset: layout.keysOffset + 8 * index, as: UInt64.self)
  }

  func frequency(_ index: Int) -> UInt64 {
    start.loadUnaligned(fromByteOffset: layout.frequenciesOffset + 8 * index, as: UInt64.self)
  }

  func lastStep(_ index: Int) -> Int64 {
    start.loadUnaligned(fromByteOffset: layout.lastStepsOffset + 8 * index, as: Int64.self)
  }

  /// The address of a row's vector, at any alignment.
  func vector(_ index: Int) -> UnsafeRawPointer {
    start + layout.vectorsOffset + 4 * layout.dimension * index
  }

  /// The address of a row's slots, at any alignment.
  func slots(_ index: Int) -> UnsafeRawPointer {
    start + layout.slotsOffset + 4 * layout.slotCount * index
  }

  /// Copies a row's vector.
  @inline(__always)
  func copyVector(_ index: Int, to floats: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(floats).copyMemory(
      from: vector(index), byteCount: 4 * layout.dimension)
  }

  /// Copies a row's vector and slots side by side, as the cache keeps them.
  func copyFloats(_ index: Int, to floats: UnsafeMutablePointer<Float>) {
    let raw = UnsafeMutableRawPointer(floats)
    raw.copyMemory(from: vector(index), byteCount: 4 * layout.dimension)
    (raw + 4 * layout.dimension).copyMemory(from: slots(index), byteCount: 4 * layout.slotCount)
  }
}

/// A block being made or changed, in memory of its own or of LMDB.
///
/// The memory is a whole block; `seal` sets the checksum, after which it can be written.
struct BlockBuffer: ~Copyable {
  let layout: BlockLayout
  private let memory: UnsafeMutableRawPointer
  private let ownsMemory: Bool

  init(layout: BlockLayout) {
    self.layout = layout
    memory = .allocate(byteCount: layout.byteCount, alignment: 16)
    ownsMemory = true
    clear()
  }

  /// Fills a block at `memory`, at any alignment. Every row must be set: only what lies behind the
  /// last one is cleared.
  init(layout: BlockLayout, filling memory: UnsafeMutableRawPointer) {
    self.layout = layout
    self.memory = memory
    ownsMemory = false
    clearRest()
  }

  /// Changes a block at `memory`, at any alignment.
  init(layout: BlockLayout, changing memory: UnsafeMutableRawPointer) {
    self.layout = layout
    self.memory = memory
    ownsMemory = false
  }

  deinit { if ownsMemory { memory.deallocate() } }

  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: memory, count: layout.byteCount)
  }

  /// The contents, read as block `number`.
  func view(number: UInt64) -> BlockView {
    BlockView(layout: layout, number: number, bytes: bytes)
  }

  mutating func clear() {
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: layout.byteCount)
  }

  /// Clears the block but for the vectors and slots of its first `rows` rows, which must be set.
  mutating func clear(butFloatsOf rows: Int) {
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: layout.vectorsOffset)
    truncate(toRows: rows)
    clearRest()
  }

  /// Clears what lies behind the last row.
  private func clearRest() {
    let end = layout.slotsOffset + 4 * layout.slotCount * layout.rowsPerBlock
    (memory + end).initializeMemory(as: UInt8.self, repeating: 0, count: layout.byteCount - end)
  }

  mutating func load(_ block: BlockView) {
    memory.copyMemory(from: block.bytes.baseAddress.unsafelyUnwrapped, byteCount: layout.byteCount)
  }

  /// Sets a row's key and metadata, and the generation of the commit that writes it.
  mutating func setFixed(
    _ index: Int, key: UInt64, frequency: UInt64, lastStep: Int64, generation: UInt64
  ) {
    memory.storeBytes(
      of: generation, toByteOffset: layout.generationsOffset + 8 * index, as: UInt64.self)
    memory.storeBytes(of: key, toByteOffset: layout.keysOffset + 8 * index, as: UInt64.self)
    memory.storeBytes(
      of: frequency, toByteOffset: layout.frequenciesOffset + 8 * index, as: UInt64.self)
    memory.storeBytes(
      of: lastStep, toByteOffset: layout.lastStepsOffset + 8 * index, as: Int64.self)
  }

  mutating func setVector(_ index: Int, from vector: UnsafeRawPointer) {
    setVectors(index, count: 1, from: vector)
  }

  /// Sets the vectors of `count` rows that lie side by side.
  mutating func setVectors(_ index: Int, count: Int, from vectors: UnsafeRawPointer) {
    let size = 4 * layout.dimension
    (memory + layout.vectorsOffset + size * index).copyMemory(
      from: vectors, byteCount: size * count)
  }

  mutating func setSlots(_ index: Int, count: Int = 1, from slots: UnsafeRawPointer) {
    let size = 4 * layout.slotCount
    (memory + layout.slotsOffset + size * index).copyMemory(from: slots, byteCount: size * count)
  }

  /// Copies a row of another block, with the generation that it has there.
  mutating func setRow(_ index: Int, from source: BlockView, _ sourceIndex: Int) {
    setFixed(
      index, key: source.key(sourceIndex), frequency: source.frequency(sourceIndex),
      lastStep: source.lastStep(sourceIndex), generation: source.generation(sourceIndex))
    setVector(index, from: source.vector(sourceIndex))
    setSlots(index, from: source.slots(sourceIndex))
  }

  /// Zeroes the rows from `count` on, so that equal tables have equal bytes.
  mutating func truncate(toRows count: Int) {
    let rows = layout.rowsPerBlock
    guard count < rows else { return }
    func zero(_ offset: Int, _ size: Int) {
      (memory + offset + size * count).initializeMemory(
        as: UInt8.self, repeating: 0, count: size * (rows - count))
    }
    zero(layout.generationsOffset, 8)
    zero(layout.keysOffset, 8)
    zero(layout.frequenciesOffset, 8)
    zero(layout.lastStepsOffset, 8)
    zero(layout.vectorsOffset, 4 * layout.dimension)
    zero(layout.slotsOffset, 4 * layout.slotCount)
  }

  /// Sets the checksum: the block is complete as block `number`. Returns the hash of its contents
  /// (``BlockLayout/contentHash(_:number:)``).
  @discardableResult
  mutating func seal(number: UInt64) -> UInt64 {
    let content = layout.contentHash(bytes, number: number)
    memory.storeBytes(of: layout.checksum(bytes, content: content), as: UInt64.self)
    return content
  }
}

/// The shape of the rows in a cache.
struct CacheLayout: Sendable {
  /// Floats in a vector.
  let dimension: Int
  /// Floats of a row: vector and optimizer state.
  let rowFloats: Int
  /// Whether rows carry the bytes of their ids.
  let hasBytes: Bool
  /// Rows in one slab, a power of two.
  let rowsPerSlabShift: Int
  /// Bytes that a commit writes for a block of which a row changed.
  let blockBytes: Int
  /// Bytes of one row in a slab: header, floats, and a pointer to the id's bytes.
  let rowBytes: Int
  /// Where the floats start in a slab: on a cache line, so that rows of 16 floats and their
  /// multiples do as well.
  let floatsOffset: Int
  /// Where the pointers to ids start: the floats before them may be an odd number.
  let idsOffset: Int
  /// Bytes of a slab, whole cache lines.
  let slabBytes: Int

  var rowsPerSlab: Int { 1 << rowsPerSlabShift }

  /// - Parameter mostSlabBytes: what a slab should take at most; it has 8 rows at least.
  init(dimension: Int, slotCount: Int, hasBytes: Bool, blockBytes: Int, mostSlabBytes: Int) {
    self.dimension = dimension
    rowFloats = dimension + slotCount
    self.hasBytes = hasBytes
    self.blockBytes = blockBytes
    let headerBytes = MemoryLayout<RowHeader>.stride
    rowBytes = headerBytes + 4 * rowFloats + (hasBytes ? 8 : 0)
    var shift = 3
    while shift < 12, rowBytes << (shift + 1) <= mostSlabBytes { shift += 1 }
    rowsPerSlabShift = shift
    floatsOffset = (headerBytes << shift + 63) & ~63
    idsOffset = floatsOffset + (rowFloats * 4 << shift + 7) & ~7
    slabBytes = (idsOffset + (hasBytes ? 8 << shift : 0) + 63) & ~63
  }
}

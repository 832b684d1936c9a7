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
  /// Bytes that a commit needs for a row: its slot, in a list that grows by doubling, and its places
  /// in lists (``CommitRows``).
  static let commitBytes = 8 + listBytes
  /// Bytes of those lists, which may stand in the scratch file.
  static let listBytes = CommitRows.bytesPerRow
  /// Bytes of one row in a slab: header, floats, and for a byte-string id its place.
  let rowBytes: Int
  /// Where the floats start in a slab: on a cache line, so that rows of 16 floats and their
  /// multiples do as well.
  let floatsOffset: Int
  /// Where the places of ids start: on a cache line.
  let idsOffset: Int
  /// Bytes of a slab, whole cache lines.
  let slabBytes: Int

  /// Of a slot's number, the part that says where it is in its slab.
  let slotMask: Int

  var rowsPerSlab: Int { 1 << rowsPerSlabShift }

  /// - Parameter mostSlabBytes: what a slab should take at most; it has 8 rows at least.
  init(dimension: Int, slotCount: Int, hasBytes: Bool, mostSlabBytes: Int) {
    self.dimension = dimension
    rowFloats = dimension + slotCount
    self.hasBytes = hasBytes
    let headerBytes = MemoryLayout<RowHeader>.stride
    rowBytes = headerBytes + 4 * rowFloats + (hasBytes ? StoredID.stride : 0)
    var shift = 3
    while shift < 12, rowBytes << (shift + 1) <= mostSlabBytes { shift += 1 }
    rowsPerSlabShift = shift
    slotMask = (1 << shift) - 1
    floatsOffset = (headerBytes << shift + 63) & ~63
    idsOffset = (floatsOffset + (rowFloats * 4) << shift + 63) & ~63
    slabBytes = idsOffset + (hasBytes ? StoredID.stride << shift : 0)
  }
}

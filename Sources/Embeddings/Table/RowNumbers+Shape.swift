extension RowNumbers {
  /// How many buckets, and of which kind.
  struct Shape: Equatable {
    static let bucketBytes = 64
    let bucketCount: Int
    /// Bits of a row number in an entry.
    let rowBits: UInt64
    let isWide: Bool

    /// Buckets for `entries` of a table with `rowCount` rows, which may become twice as many.
    init(rowCount: UInt64, entries: Int) {
      let bits = UInt64(64 - (rowCount * 2).leadingZeroBitCount)
      isWide = bits > 26
      rowBits = isWide ? 40 : max(bits, 20)
      let perBucket = isWide ? 8 : 16
      bucketCount = (entries + perBucket - 1) / perBucket
    }

    private init(bucketCount: Int, like other: Shape) {
      self.bucketCount = bucketCount
      rowBits = other.rowBits
      isWide = other.isWide
    }

    /// No more buckets than fit into so many bytes.
    func limited(toBytes bytes: Int) -> Shape {
      Shape(bucketCount: max(0, min(bucketCount, bytes / Self.bucketBytes)), like: self)
    }

    /// Not many more buckets than for so many entries.
    func limited(toEntries entries: Int) -> Shape {
      let limited = Shape(
        bucketCount: min(bucketCount, (entries + perBucket - 1) / perBucket), like: self)
      return bucketCount < limited.bucketCount / 2 * 3 ? self : limited
    }

    /// Whether it is time for this shape, where so many entries were stored in the old one: where it is
    /// larger by half, and a quarter of the old one is in use.
    func isGrowth(of old: Shape, entries: Int) -> Bool {
      bucketCount >= (old.bucketCount + 1) / 2 * 3 && entries >= old.entries / 4
    }

    private var perBucket: Int { isWide ? 8 : 16 }
    var entries: Int { bucketCount * perBucket }
    var bytes: Int { bucketCount * Self.bucketBytes }
    var rowMask: UInt64 { 1 << rowBits - 1 }
    /// The bits of the tags in a word of narrow entries.
    var tagMask: UInt64 { ~(rowMask | rowMask << 32) }

    /// The tag of a hash.
    @inline(__always)
    func tag(_ hash: UInt64) -> UInt64 {
      let tag = hash & (isWide ? 0xff_ffff : 0xffff_ffff >> rowBits)
      return tag == 0 ? 1 : tag
    }
  }
}

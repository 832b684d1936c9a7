/// What the cache keeps of a row beside its floats: 32 bytes.
struct RowHeader {
  /// The id's key: an Int64 id's bit pattern, or the XXH3 of a byte-string id. In a free slot, the
  /// next free slot.
  var key: UInt64
  var lastStep: Int64
  var frequency: UInt64
  /// 40 bits of row number, 8 flags, 16 bits that a batch may use while it holds the shard.
  private var tag: UInt64

  static let noRow: UInt64 = (1 << 40) - 1
  private static let rowMask: UInt64 = (1 << 40) - 1

  init(key: UInt64, lastStep: Int64, frequency: UInt64, row: UInt64) {
    self.key = key
    self.lastStep = lastStep
    self.frequency = frequency
    tag = row
  }

  /// The row number in the last commit, or `noRow` for a row that was never committed.
  var row: UInt64 {
    get { tag & Self.rowMask }
    set { tag = tag & ~Self.rowMask | newValue }
  }

  /// Adds to the frequency, which stays at its largest value once it has come there (an import may
  /// bring any).
  mutating func addFrequency(_ count: UInt64) {
    let (sum, overflows) = frequency.addingReportingOverflow(count)
    frequency = overflows ? .max : sum
  }

  /// What is true of a row.
  struct Flags: OptionSet {
    let rawValue: UInt8
    /// The slot holds a row.
    static let occupied = Flags(rawValue: 1)
    /// The row was used since the clock hand last passed.
    static let referenced = Flags(rawValue: 2)
    /// The row differs from the last commit: it must not be evicted.
    static let dirty = Flags(rawValue: 4)
    /// The row was deleted since the last commit, in which it still stands.
    static let deleted = Flags(rawValue: 8)
  }

  var flags: Flags {
    get { Flags(rawValue: UInt8(truncatingIfNeeded: tag >> 40)) }
    set { tag = tag & ~(0xff << 40) | UInt64(newValue.rawValue) << 40 }
  }

  /// A number that a batch leaves here while it holds the shard, to meet the row again.
  var mark: Int {
    get { Int(tag >> 48) }
    set { tag = tag & 0xffff_ffff_ffff | UInt64(newValue) << 48 }
  }
}

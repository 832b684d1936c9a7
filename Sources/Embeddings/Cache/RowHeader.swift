import StorageBase

/// What the cache keeps of a row beside its floats: 24 bytes. The index takes up to 8 more.
struct RowHeader {
  /// The hash of the id's key, of which the key can be found again. In a free slot, the next free
  /// slot.
  var hash: UInt64
  /// 40 bits of row number, 8 flags, the high 16 bits of the last step.
  private var tag: UInt64
  /// The low 32 bits of the last step, and the frequency.
  private var counts: UInt64

  static let noRow: UInt64 = (1 << 40) - 1
  private static let rowMask: UInt64 = (1 << 40) - 1

  init(hash: UInt64, row: UInt64) {
    self.hash = hash
    tag = row
    counts = 0
  }

  /// The id's key: an Int64 id's bit pattern, or the XXH3 of a byte-string id.
  var key: UInt64 { RowKey.key(ofHash: hash) }

  /// The row number in the last commit, or `noRow` for a row that was never committed.
  var row: UInt64 {
    get { tag & Self.rowMask }
    set { tag = tag & ~Self.rowMask | newValue }
  }

  /// What is true of a row.
  struct Flags: OptionSet {
    let rawValue: UInt8
    /// The slot holds a row.
    static let occupied = Flags(rawValue: 1)
    /// The row was used since the clock hand last passed.
    static let referenced = Flags(rawValue: 2)
    /// The row was deleted; or an id takes a slot that has no row yet. Its floats are initial ones.
    static let deleted = Flags(rawValue: 4)
    /// Last step and frequency are too large for the header, and stand beside it.
    static let wide = Flags(rawValue: 8)
    /// The row differs from the last commit. Three flags, which take turns: for rows that the commit
    /// under way writes, for those of the one that waits, and for those that changed since.
    static let dirtyA = Flags(rawValue: 16)
    static let dirtyB = Flags(rawValue: 32)
    static let dirtyC = Flags(rawValue: 64)
    /// Any of these keeps a row in the cache.
    static let held: Flags = [.dirtyA, .dirtyB, .dirtyC]
    /// The row is below the cutoff of its table: it is in memory only, and no commit writes it.
    static let probation = Flags(rawValue: 128)
    /// Any of these keeps a row from leaving for one that is read.
    static let kept: Flags = [.dirtyA, .dirtyB, .dirtyC, .probation]
    /// For a commit the id has no row.
    static let unwritten: Flags = [.deleted, .probation]
  }

  var flags: Flags {
    get { Flags(rawValue: UInt8(truncatingIfNeeded: tag >> 40)) }
    set { tag = tag & ~(0xff << 40) | UInt64(newValue.rawValue) << 40 }
  }

  /// The last step and the frequency; nil where they are wide.
  var narrowCounts: RowCounts {
    RowCounts(
      lastStep: Int64(tag >> 48) << 32 | Int64(counts & 0xffff_ffff), frequency: counts >> 32)
  }

  /// Notes a step, if there is one, and adds to the frequency; false where they do not fit, and
  /// nothing is changed.
  @inline(__always)
  mutating func note(step: Int64?, adding times: UInt32) -> Bool {
    if flags.contains(.wide) { return false }
    var counts = narrowCounts
    if let step { counts.lastStep = step }
    counts.addFrequency(UInt64(times))
    return setNarrow(counts)
  }

  /// Takes last step and frequency in, or returns false where they do not fit.
  @inline(__always)
  mutating func setNarrow(_ new: RowCounts) -> Bool {
    guard new.frequency >> 32 == 0, UInt64(bitPattern: new.lastStep) >> 48 == 0 else {
      return false
    }
    tag = tag & 0xffff_ffff_ffff | (UInt64(new.lastStep) >> 32) << 48
    counts = new.frequency << 32 | UInt64(new.lastStep) & 0xffff_ffff
    return true
  }
}

/// When and how often a row was trained.
struct RowCounts: Equatable {
  var lastStep: Int64 = 0
  var frequency: UInt64 = 0

  /// Adds to the frequency, which stays at its largest value once it has come there (an import may
  /// bring any).
  mutating func addFrequency(_ count: UInt64) {
    let (sum, overflows) = frequency.addingReportingOverflow(count)
    frequency = overflows ? .max : sum
  }
}

import StorageBase

/// What the cache keeps of a row beside its floats: 24 bytes. The index takes up to 8 more.
struct RowHeader {
  /// The hash of the id's key, of which the key can be found again. In a free slot, the next free
  /// slot.
  var hash: UInt64
  /// 40 bits of row number, 10 flags, the high 14 bits of the last step.
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
    let rawValue: UInt16
    /// The slot holds a row.
    static let occupied = Flags(rawValue: 1)
    /// The row was used since the clock hand last passed.
    static let referenced = Flags(rawValue: 2)
    /// The row was deleted; or an id takes a slot that has no row yet. Its floats are initial ones.
    static let deleted = Flags(rawValue: 4)
    /// Last step and frequency are too large for the header, and stand beside it.
    static let wide = Flags(rawValue: 8)
    /// The row is below the cutoff of its table: it is in memory only, and no commit writes it.
    static let probation = Flags(rawValue: 16)
    /// The row differs from the last commit. Five bits, which say in which turn it last changed.
    static let held = Flags(rawValue: 31 << 5)
    /// Any of these keeps a row from leaving for one that is read.
    static let kept: Flags = [.held, .probation]
    /// For a commit the id has no row.
    static let unwritten: Flags = [.deleted, .probation]

    /// The turn in which the row last changed; 0 where it does not differ from the last commit.
    @inline(__always)
    var turn: UInt8 {
      get { UInt8(truncatingIfNeeded: rawValue >> 5) }
      set {
        self = Flags(rawValue: rawValue & ~Self.held.rawValue | UInt16(newValue) << 5)
      }
    }
  }

  var flags: Flags {
    get { Flags(rawValue: UInt16(truncatingIfNeeded: tag >> 40) & 0x3ff) }
    set { tag = tag & ~(0x3ff << 40) | UInt64(newValue.rawValue) << 40 }
  }

  /// The last step and the frequency; nil where they are wide.
  var narrowCounts: RowCounts {
    RowCounts(
      lastStep: Int64(tag >> 50) << 32 | Int64(counts & 0xffff_ffff), frequency: counts >> 32)
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
    guard new.frequency >> 32 == 0, UInt64(bitPattern: new.lastStep) >> 46 == 0 else {
      return false
    }
    tag = tag & 0x3_ffff_ffff_ffff | (UInt64(new.lastStep) >> 32) << 50
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

public import StorageBase

/// What an eviction took, or a dry run of one would take.
public struct EvictionReport: Sendable {
  /// The rows of an age within a range.
  public struct AgeBin: Sendable, Hashable {
    /// The ages counted, in steps since the last update: 0, 1, 2 to 3, 4 to 7, and so on.
    public var range: ClosedRange<UInt64>
    /// Rows.
    public var count: Int
  }

  /// Whether nothing was changed.
  public var isDryRun: Bool
  /// The step from which ages are counted.
  public var step: Int64
  /// The rows that the table had.
  public var rowsBefore: Int
  /// The rows that went.
  public var evicted = 0
  /// Those among them that were too old; a row may count here and below.
  public var tooOld = 0
  /// Those that were seen too seldom.
  public var tooRare = 0
  /// Those whose norm was too low.
  public var tooSmall = 0
  /// Those that only a target number of rows took.
  public var beyondTarget = 0
  /// The rows that went by frequency, in bins of powers of two, from the lowest with rows to the
  /// highest.
  public var frequencies: [TableHistograms.FrequencyBin] = []
  /// The rows that went by age, in bins like those.
  public var ages: [AgeBin] = []
  /// Some of the ids that went, spread evenly over the table.
  public var sample: [EmbeddingID] = []
  /// Bytes of blocks that hold no rows any more. The file keeps them for rows to come;
  /// ``EmbeddingDatabase/compact(at:options:)`` gives them back to the file system.
  public var bytesFreed = 0

  /// The rows that are left.
  public var rowsLeft: Int { rowsBefore - evicted }

  init(isDryRun: Bool, step: Int64, rowsBefore: Int) {
    self.isDryRun = isDryRun
    self.step = step
    self.rowsBefore = rowsBefore
  }
}

/// How far an eviction has come, in rows of the table looked at.
public struct EvictionProgress: Sendable {
  /// What is done.
  public enum Phase: Sendable {
    /// Rows are chosen. A target number of rows takes several passes.
    case choosing
    /// Rows that were chosen are counted.
    case counting
  }
  /// What is done.
  public var phase: Phase
  /// Rows looked at in this pass.
  public var rows: Int
  /// Rows of the table.
  public var totalRows: Int
}

/// Counts of values in bins of powers of two: 0, 1, 2 to 3, 4 to 7, and so on.
struct PowerHistogram {
  private var bins = [Int](repeating: 0, count: 65)

  mutating func count(_ value: UInt64) { bins[64 - value.leadingZeroBitCount] += 1 }

  /// The bins from the lowest with a value to the highest.
  func map<T>(_ make: (ClosedRange<UInt64>, Int) -> T) -> [T] {
    guard let first = bins.firstIndex(where: { $0 > 0 }),
      let last = bins.lastIndex(where: { $0 > 0 })
    else { return [] }
    return (first...last).map { bin in
      let lower: UInt64 = bin == 0 ? 0 : 1 << UInt64(bin - 1)
      return make(lower...(bin == 0 ? 0 : lower | (lower - 1)), bins[bin])
    }
  }
}

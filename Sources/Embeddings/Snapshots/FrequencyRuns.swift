import StorageBase

/// Gathers rows of like frequency on their way from a source to a table: what is trained together
/// then stands together, whatever the order of the source.
///
/// Each row waits with those whose frequency has the same power of two. Classes that reach the size
/// of a run are handed on, in whole blocks of the table, so that no block mixes hot rows and cold;
/// what is left at the end follows by falling frequency. So of a power law the many cold rows go
/// first, run by run, and the few hot ones come last, exactly in order.
///
/// One pass, no files beside the table: memory is one run for each class that there is, at most 65,
/// and one more copy of each row the only cost. The order depends on the source alone.
struct FrequencyRuns {
  private var classes = [RowBatch?](repeating: nil, count: 65)
  private let empty: RowBatch
  /// Rows of a run: a multiple of those of a block.
  private let runRows: Int
  /// Classes at the end, the coldest first; nil while the source has more.
  private var rest: [Int]?
  private var ready: [RowBatch] = []

  /// Bytes of a run.
  private static let runBytes = 4 << 20

  /// - Parameters:
  ///   - empty: a batch without rows, of the source's columns.
  ///   - rowsPerBlock: rows of a block of the table.
  init(_ empty: RowBatch, rowsPerBlock: Int, runBytes: Int = Self.runBytes) {
    self.empty = empty
    let rowBytes = 24 + 4 * (empty.dimension + empty.slotCount)
    runRows = max(1, runBytes / (rowBytes * rowsPerBlock)) * rowsPerBlock
  }

  /// Replaces `batch` by the next run; false after the last. `read` is the source.
  mutating func next(
    into batch: inout RowBatch, from read: (inout RowBatch) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) -> Bool {
    while rest == nil, ready.isEmpty {
      if try read(&batch) {
        add(batch)
      } else {
        rest = classes.indices.filter { classes[$0] != nil }
      }
    }
    if let run = ready.popLast() {
      batch = run
      return true
    }
    guard let hottest = rest?.popLast(), let rows = classes[hottest] else { return false }
    classes[hottest] = nil
    let order = rows.frequencies.indices.sorted {
      let (a, b) = (rows.frequencies[$0], rows.frequencies[$1])
      return a == b ? $0 < $1 : a > b
    }
    batch = empty
    batch.removeAll()
    for row in order { batch.append(rows, row..<row + 1) }
    return true
  }

  private mutating func add(_ batch: borrowing RowBatch) {
    var start = 0
    while start < batch.count {
      let number = Self.number(batch.frequencies[start])
      var end = start + 1
      while end < batch.count, Self.number(batch.frequencies[end]) == number { end += 1 }
      // Out of the array meanwhile, so that its columns are not copied.
      var rows = classes[number] ?? empty
      classes[number] = nil
      while start < end {
        let part = min(end - start, runRows - rows.count)
        rows.append(batch, start..<start + part)
        start += part
        if rows.count == runRows {
          ready.insert(rows, at: 0)
          rows = empty
        }
      }
      if rows.count > 0 { classes[number] = rows }
    }
  }

  /// The number of the class of a frequency: 0 for 0, and b for 2^(b - 1) up to below 2^b.
  private static func number(_ frequency: UInt64) -> Int { 64 - frequency.leadingZeroBitCount }
}

import CKernels
import LMDB
import StorageBase

/// Chooses the rows that a rule takes, in one commit or transaction.
///
/// Reads the columns that it needs in place, and does not compare checksums: every block that is
/// changed afterwards is checked then, so that no row goes for a flipped bit.
struct EvictionChoice {
  let rule: EvictionRule
  let storage: TableStorage
  /// The step from which ages are counted.
  let step: Int64
  let progress: ((EvictionProgress) -> Void)?
  private(set) var rows: RowSet
  private(set) var report: EvictionReport

  init(
    _ rule: EvictionRule, _ storage: TableStorage, rowCount: UInt64, step: Int64, isDryRun: Bool,
    progress: ((EvictionProgress) -> Void)? = nil
  ) {
    self.rule = rule
    self.storage = storage
    self.step = step
    self.progress = progress
    rows = RowSet(rowCount: rowCount)
    report = EvictionReport(isDryRun: isDryRun, step: step, rowsBefore: Int(rowCount))
  }

  /// Chooses.
  mutating func run<T: ReadableTransaction & ~Copyable>(
    in transaction: borrowing T
  ) throws(EmbeddingError) {
    if rule.stepsToLive != nil || rule.minimumFrequency != nil || rule.normThreshold != nil {
      try chooseByCriteria(in: transaction)
    }
    for order in [EvictionRule.Order.mostFrequent, .newest] {
      guard let target = rule.targets[order] else { continue }
      let before = rows.count
      try keep(target, order, in: transaction)
      report.beyondTarget += rows.count - before
    }
    report.evicted = rows.count
  }

  /// How many steps ago a row was updated: 0 for one of a later step.
  private func age(_ block: BlockView, _ index: Int) -> UInt64 {
    let lastStep = block.lastStep(index)
    return lastStep >= step ? 0 : UInt64(bitPattern: step &- lastStep)
  }

  private mutating func chooseByCriteria<T: ReadableTransaction & ~Copyable>(
    in transaction: borrowing T
  ) throws(EmbeddingError) {
    let dimension = storage.layout.dimension
    try forEachBlock(in: transaction) { (choice, block, range) in
      for row in range {
        let index = Int(row - range.lowerBound)
        var isTaken = false
        if let limit = choice.rule.stepsToLive, choice.age(block, index) > UInt64(limit) {
          choice.report.tooOld += 1
          isTaken = true
        }
        if let minimum = choice.rule.minimumFrequency, block.frequency(index) < minimum {
          choice.report.tooRare += 1
          isTaken = true
        }
        if let threshold = choice.rule.normThreshold {
          // Unsafe: the kernel reads the vector in place, at any address.
          let vector = block.vector(index)
          if 0.5 * Double(ck_dot(vector, vector, dimension)) < Double(threshold) {
            choice.report.tooSmall += 1
            isTaken = true
          }
        }
        if isTaken { choice.rows.insert(row) }
      }
    }
  }

  /// Calls `body` with every block and its rows.
  private mutating func forEachBlock<T: ReadableTransaction & ~Copyable>(
    in transaction: borrowing T, _ phase: EvictionProgress.Phase = .choosing,
    _ body: (inout EvictionChoice, BlockView, Range<UInt64>) -> Void
  ) throws(EmbeddingError) {
    let rowsPerBlock = UInt64(storage.layout.rowsPerBlock)
    var readAhead = ReadAhead()
    for number in 0..<storage.layout.blockCount(rows: rows.rowCount) {
      let start = number * rowsPerBlock
      let range = start..<min(start + rowsPerBlock, rows.rowCount)
      body(&self, try storage.block(number, in: transaction, &readAhead), range)
      if number % 64 == 63 { note(range.upperBound, phase) }
    }
    note(rows.rowCount, phase)
  }

  private func note(_ row: UInt64, _ phase: EvictionProgress.Phase) {
    progress?(EvictionProgress(phase: phase, rows: Int(row), totalRows: Int(rows.rowCount)))
  }
}

// MARK: - A target number of rows

extension EvictionChoice {
  /// What rows are compared by, the row to keep having the greater value.
  private enum Column {
    case frequency, lastStep, key

    func value(_ block: BlockView, _ index: Int, _ storage: TableStorage) -> UInt64 {
      switch self {
      case .frequency: block.frequency(index)
      case .lastStep: UInt64(bitPattern: block.lastStep(index)) ^ 1 << 63
      case .key: ~storage.treeKey(block.key(index))
      }
    }
  }

  /// Takes all but the best `target` of the rows that are not taken yet.
  ///
  /// The values of the last row that stays are found by radix selection, 16 bits of one column a
  /// pass: at most twelve passes over the columns, and hardly ever more than three, since the bits
  /// that all rows share are left out. No row is moved, and nothing sorted.
  private mutating func keep<T: ReadableTransaction & ~Copyable>(
    _ target: Int, _ order: EvictionRule.Order, in transaction: borrowing T
  ) throws(EmbeddingError) {
    guard Int(rows.rowCount) - rows.count > target else { return }
    let columns: [Column] =
      order == .newest ? [.lastStep, .frequency, .key] : [.frequency, .lastStep, .key]
    var last: [UInt64] = []
    var room = target
    if target > 0 {
      for column in columns {
        let (value, isWhole) = try select(column, last, columns, &room, in: transaction)
        last.append(value)
        if isWhole { break }
      }
    }
    let (storage, bounds) = (storage, last)
    try forEachBlock(in: transaction) { (choice, block, range) in
      for row in range where !choice.rows.contains(row) {
        guard target > 0 else {
          choice.rows.insert(row)
          continue
        }
        let index = Int(row - range.lowerBound)
        var stays: Bool?
        for (column, bound) in zip(columns, bounds) {
          let value = column.value(block, index, storage)
          if value != bound {
            stays = value > bound
            break
          }
        }
        if let stays {
          if !stays { choice.rows.insert(row) }
        } else if room > 0 {
          // As good as the last one: of rows that nothing tells apart (byte strings of one XXH3),
          // the first.
          room -= 1
        } else {
          choice.rows.insert(row)
        }
      }
    }
  }

  /// The value of the last row that stays, of those that are equal to `last` so far and of which
  /// `room` stay. Afterwards `room` is how many of those with this value stay; all of them if the
  /// second result is true.
  private mutating func select<T: ReadableTransaction & ~Copyable>(
    _ column: Column, _ last: [UInt64], _ columns: [Column], _ room: inout Int,
    in transaction: borrowing T
  ) throws(EmbeddingError) -> (value: UInt64, isWhole: Bool) {
    let storage = storage
    func isCandidate(_ block: BlockView, _ index: Int) -> Bool {
      for (column, value) in zip(columns, last)
      where column.value(block, index, storage) != value { return false }
      return true
    }
    // The bits in which candidates differ.
    var (any, all): (UInt64, UInt64) = (0, .max)
    try forEachBlock(in: transaction) { (choice, block, range) in
      for row in range where !choice.rows.contains(row) {
        let index = Int(row - range.lowerBound)
        guard isCandidate(block, index) else { continue }
        let value = column.value(block, index, storage)
        any |= value
        all &= value
      }
    }
    var shift = 64 - (any ^ all).leadingZeroBitCount
    // The upper bits of the value, from `shift` on, are those found so far.
    var found = shift == 64 ? 0 : all >> UInt64(shift)
    var isWhole = false
    while shift > 0 {
      let bits = min(16, shift)
      shift -= bits
      var counts = [Int](repeating: 0, count: 1 << bits)
      let (upper, low) = (UInt64(shift + bits), UInt64(shift))
      let mask: UInt64 = 1 << UInt64(bits) - 1
      try forEachBlock(in: transaction) { (choice, block, range) in
        for row in range where !choice.rows.contains(row) {
          let index = Int(row - range.lowerBound)
          let value = column.value(block, index, storage)
          guard upper == 64 || value >> upper == found, isCandidate(block, index) else { continue }
          counts[Int(value >> low & mask)] += 1
        }
      }
      var digit = counts.count - 1
      while counts[digit] < room {
        room -= counts[digit]
        digit -= 1
      }
      found = found << UInt64(bits) | UInt64(digit)
      isWhole = counts[digit] == room
    }
    return (found, isWhole)
  }
}

// MARK: - The report

extension EvictionChoice {
  /// Completes the report: histograms of what goes, and some of the ids.
  mutating func describe<T: ReadableTransaction & ~Copyable>(
    sample: Int, in transaction: borrowing T
  ) throws(EmbeddingError) {
    let layout = storage.layout
    let numbers = Renumbering(removing: rows)
    report.bytesFreed =
      Int(layout.blockCount(rows: rows.rowCount) - layout.blockCount(rows: numbers.newCount))
      * layout.pages * BlockLayout.pageSize
    var frequencies = PowerHistogram()
    var ages = PowerHistogram()
    var next = rows.next(from: 0)
    while let first = next {
      let number = layout.place(ofRow: first).block
      let block = try storage.block(number, in: transaction)
      let end = (number + 1) * UInt64(layout.rowsPerBlock)
      while let row = next, row < end {
        let index = layout.place(ofRow: row).index
        frequencies.count(block.frequency(index))
        ages.count(age(block, index))
        next = rows.next(from: row + 1)
      }
      if number % 64 == 63 { note(min(end, rows.rowCount), .counting) }
    }
    report.frequencies = frequencies.map { TableHistograms.FrequencyBin(range: $0, count: $1) }
    report.ages = ages.map { EvictionReport.AgeBin(range: $0, count: $1) }
    try takeSample(min(max(0, sample), rows.count), numbers, in: transaction)
  }

  private mutating func takeSample<T: ReadableTransaction & ~Copyable>(
    _ count: Int, _ numbers: Renumbering, in transaction: borrowing T
  ) throws(EmbeddingError) {
    var sampled: [UInt64] = []
    var keys: [UInt64] = []
    for i in 0..<count {
      let row = numbers.removedRow(UInt64(i * rows.count / count))
      let place = storage.layout.place(ofRow: row)
      sampled.append(row)
      keys.append(try storage.block(place.block, in: transaction).key(place.index))
    }
    var ids = IDColumn(type: storage.idType)
    try storage.appendIDs(rows: sampled, keys: keys, to: &ids, in: transaction)
    report.sample = (0..<ids.count).map { ids[$0] }
  }
}

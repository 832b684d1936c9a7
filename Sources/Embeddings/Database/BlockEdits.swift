import LMDB
import StorageBase

/// Changes to the blocks of a table, carried out block by block in rising order, each block read,
/// checked, changed and written once.
struct BlockEdits: ~Copyable {
  let storage: TableStorage
  let cache: RowCache
  /// Rows to write.
  let rows: NumberedRows
  /// Rows that move within the table, by their new numbers.
  let moves: [(to: UInt64, from: UInt64)]
  /// Ids to enter in between.
  private var ids: NewIDs
  private let pace: Pace?
  private(set) var changedBlocks: [Int] = []
  /// What the changed blocks hold now.
  private(set) var content = ContentHash()
  /// Bytes of pages that LMDB has not written yet.
  private var bytesInMemory = 0

  init(
    storage: TableStorage, cache: RowCache, rows: NumberedRows,
    moves: [(to: UInt64, from: UInt64)], ids: NewIDs, pace: Pace?
  ) {
    self.storage = storage
    self.cache = cache
    self.rows = rows
    self.moves = moves.sorted { $0.to < $1.to }
    self.ids = ids
    self.pace = pace
  }

  /// Writes all changes, and returns by how much they change the sum of frequencies of the rows
  /// that stay (modulo 2^64).
  ///
  /// - Parameter isOver: whether the commit is to be given up, by how many rows are written.
  mutating func write(
    oldCount: UInt64, newCount: UInt64, in transaction: borrowing WriteTransaction,
    givingUp isOver: (_ rowsWritten: Int) -> Bool
  ) throws(EmbeddingError) -> UInt64 {
    var buffer = BlockBuffer(layout: storage.layout)
    let hasMoves = !moves.isEmpty
    if hasMoves { try enterIDs(ids.count, in: transaction) }
    let change =
      !hasMoves
      ? try writeInBatches(
        oldCount: oldCount, newCount: newCount, in: transaction, givingUp: isOver)
      : try writeWithMoves(oldCount: oldCount, newCount: newCount, &buffer, in: transaction)
    try shrink(from: oldCount, to: newCount, &buffer, in: transaction)
    return change
  }

  // MARK: Rows that change where they are

  /// The thread that has the transaction gives blocks their places, and enters ids while others lay
  /// blocks out and write them to the file; where no batch is ready for it, it does one itself. While
  /// it writes pages ahead of the commit, which takes the time of some batches, the others go on. As
  /// many ids go with each batch as are its share, whatever the threads do.
  private mutating func writeInBatches(
    oldCount: UInt64, newCount: UInt64, in transaction: borrowing WriteTransaction,
    givingUp isOver: (_ rowsWritten: Int) -> Bool
  ) throws(EmbeddingError) -> UInt64 {
    let (rows, pace) = (rows, pace)
    let file = storage.pageFile(in: transaction)
    let planned = HandOff<BlockBatch>()
    let laidOut = HandOff<BlockBatch>()
    var change: UInt64 = 0
    var failure: EmbeddingError?
    func layOut(_ batch: BlockBatch) {
      batch.fill(from: rows, rowCount: newCount, at: pace)
      if let file, batch.damaged == nil { batch.write(to: file) }
      laidOut.give(batch)
    }
    func layOutPlanned() {
      while true {
        pace?.awaitSecondProcessor { planned.isClosed }
        guard let batch = planned.take() else { return }
        layOut(batch)
      }
    }
    func write(threadCount: Int) {
      do throws(EmbeddingError) {
        var planning = BlockPlanning(
          rows, storage, bytes: cache.budget.bytesLaidOut, oldCount, hasFile: file != nil,
          pace: pace)
        var early: [BlockBatch] = []
        var sequence = 0
        var written = 0
        while true {
          if isOver(written) { throw TableCommit.givenUp }
          while let batch = try planning.next(in: transaction) {
            if threadCount > 0 { planned.give(batch) } else { layOut(batch) }
          }
          guard planning.underWay > 0 else { break }
          // Several threads may not be done in the order in which they began.
          while !early.contains(where: { $0.sequence == sequence }) {
            if let batch = laidOut.takeIfThere() {
              early.append(batch)
            } else if let batch = planned.takeIfThere() {
              layOut(batch)
            } else if let batch = laidOut.take() {
              early.append(batch)
            }
          }
          guard let i = early.firstIndex(where: { $0.sequence == sequence }) else { break }
          let batch = early.remove(at: i)
          sequence += 1
          if let number = batch.damaged { throw storage.damage(number) }
          try transaction.check(writing: batch.writeError)
          change &+= batch.frequencyChange
          try planning.put(batch, in: transaction)
          for i in 0..<batch.count {
            try note(batch.number(i), batch.content(i), in: transaction)
          }
          written += batch.rowCount
          planning.takeBack(batch)
          try enterIDs(ids.count * written / rows.count, in: transaction)
        }
      } catch {
        failure = error
        // Nobody is to lay them out.
        while planned.takeIfThere() != nil {}
      }
      planned.close()
    }
    if rows.count < Self.leastForThread {
      write(threadCount: 0)
    } else {
      // More than keep the one that writes busy are of no use, and of none while training goes on.
      let isHurried = pace?.isHurried ?? true
      alongside(
        isHurried ? max(1, min(3, ThreadGroup.processorCount - 1)) : 1, layOutPlanned, write)
    }
    if let failure { throw failure }
    return change
  }

  /// Enters ids, all up to the one with number `end`.
  private mutating func enterIDs(
    _ end: Int, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    while ids.entered < end {
      bytesInMemory += try ids.enter(upTo: end, in: transaction)
      try writeAheadIfDue(in: transaction)
    }
  }

  /// Blocks after which a commit looks whether to give way to training.
  static let blocksAtOnce = 8

  /// Rows for which a thread costs less than it saves.
  private static let leastForThread = 512

  // MARK: Rows that move as well

  private mutating func writeWithMoves(
    oldCount: UInt64, newCount: UInt64, _ buffer: inout BlockBuffer,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> UInt64 {
    let layout = storage.layout
    let oldBlocks = layout.blockCount(rows: oldCount)
    var change: UInt64 = 0
    var nextRow = NumberedRows.Place()
    var nextMove = 0
    while true {
      let first = min(
        rows.number(nextRow) ?? .max, nextMove < moves.count ? moves[nextMove].to : .max)
      if first == .max { break }
      let number = layout.place(ofRow: first).block
      let end = (number + 1) * UInt64(layout.rowsPerBlock)
      if number < oldBlocks {
        buffer.load(try storage.checkedBlock(number, in: transaction))
      } else {
        buffer.clear()
      }
      while nextMove < moves.count, moves[nextMove].to < end {
        let from = layout.place(ofRow: moves[nextMove].from)
        let to = layout.place(ofRow: moves[nextMove].to)
        buffer.setRow(
          to.index, from: try storage.checkedBlock(from.block, in: transaction), from.index)
        nextMove += 1
      }
      let rowsEnd = rows.endOfRows(below: end, from: nextRow)
      let part = NumberedRows.Part(start: nextRow, end: rowsEnd)
      for row in rows.find(part, inBlock: number) {
        change &+= rows.copy(row, to: &buffer, number: number)
      }
      nextRow = rowsEnd
      if newCount < end {
        buffer.truncate(toRows: Int(newCount - number * UInt64(layout.rowsPerBlock)))
      }
      let content = buffer.seal(number: number)
      try put(buffer.bytes, content, number: number, oldBlocks, in: transaction)
    }
    return change
  }

  /// Takes away the blocks behind the last row, and clears what is left of the last one.
  private mutating func shrink(
    from oldCount: UInt64, to newCount: UInt64, _ buffer: inout BlockBuffer,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard newCount < oldCount else { return }
    let layout = storage.layout
    let kept = layout.blockCount(rows: newCount)
    for number in kept..<layout.blockCount(rows: oldCount) {
      try transaction.delete(number, in: storage.blocks)
    }
    guard kept > 0, changedBlocks.last != Int(kept - 1) else { return }
    buffer.load(try storage.checkedBlock(kept - 1, in: transaction))
    buffer.truncate(toRows: Int(newCount - (kept - 1) * UInt64(layout.rowsPerBlock)))
    let content = buffer.seal(number: kept - 1)
    try put(buffer.bytes, content, number: kept - 1, kept, in: transaction)
  }

  // MARK: Writing

  private mutating func put(
    _ bytes: UnsafeRawBufferPointer, _ hash: UInt64, number: UInt64, _ oldBlocks: UInt64,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    if number < oldBlocks {
      try transaction.put(number, bytes, in: storage.blocks)
    } else {
      try transaction.append(number, bytes, in: storage.blocks)
    }
    try note(number, hash, in: transaction)
  }

  /// Takes down that a block was written, which holds what `hash` stands for.
  private mutating func note(
    _ number: UInt64, _ hash: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    content.add(hash)
    changedBlocks.append(Int(number))
    bytesInMemory += storage.layout.byteCount
    try writeAheadIfDue(in: transaction)
  }

  private mutating func writeAheadIfDue(
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    if bytesInMemory >= cache.budget.bytesAhead - cache.budget.bytesLaidOut {
      try transaction.writeAhead(storage.blocks, forgetting: true)
      bytesInMemory = 0
    }
  }
}

import LMDB
import StorageBase

/// One table in one commit, for as long as this lives: what sampling, export, search and histograms
/// read.
struct CommittedTable: SamplingSource, ~Copyable {
  let view: CommittedView
  let storage: TableStorage
  /// Where the rows stand that are shared by ids without one.
  let shared: TableStorage?
  let count: Int
  let totalFrequency: UInt64

  init(_ table: EmbeddingTable) throws(EmbeddingError) {
    let view = try table.database.beginView()
    let record = try view.tableRecord(table.name)
    self.view = view
    storage = table.storage
    shared = table.shared?.storage
    count = Int(record.rowCount)
    totalFrequency = record.totalFrequency
  }

  var rowsPerBlock: Int { storage.layout.rowsPerBlock }
  var generation: UInt64 { view.generation }

  /// The rows of block `number`, which is full or the last.
  func rowCount(ofBlock number: Int) -> Int { min(rowsPerBlock, count - number * rowsPerBlock) }

  /// Calls `body` with every block in order, checked against its checksum, and its rows.
  func forEachBlock(
    _ body: (_ block: BlockView, _ rows: Int) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    var readAhead = ReadAhead()
    for number in 0..<blockCount {
      let block = try storage.checkedBlock(UInt64(number), in: view.transaction, &readAhead)
      try body(block, rowCount(ofBlock: number))
    }
  }

  /// Calls `body` with every block that was changed after a generation, in order, and its rows. The
  /// block is not compared with its checksum.
  func forEachBlock(
    changedAfter generation: UInt64,
    _ body: (_ block: BlockView, _ rows: Int) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    var readAhead = ReadAhead()
    try ChangeIndex(storage: storage).forEachBlock(
      changedAfter: generation, in: view.transaction
    ) { (number) throws(EmbeddingError) in
      guard number < UInt64(blockCount) else {
        throw storage.corruption("the change index names block \(number), of \(blockCount)")
      }
      let block = try storage.block(number, in: view.transaction, &readAhead)
      try body(block, rowCount(ofBlock: Int(number)))
    }
  }

  func frequency(ofRow row: Int) throws(EmbeddingError) -> UInt64 {
    let place = storage.layout.place(ofRow: UInt64(row))
    return try storage.block(place.block, in: view.transaction).frequency(place.index)
  }

  func frequencies(
    ofBlock number: Int, into frequencies: inout [UInt64]
  ) throws(EmbeddingError) {
    // Unchecked: a draw reads a few numbers of a block, and the checksum would cost more than they do.
    let block = try storage.block(UInt64(number), in: view.transaction)
    frequencies.removeAll(keepingCapacity: true)
    for index in 0..<rowCount(ofBlock: number) { frequencies.append(block.frequency(index)) }
  }
}

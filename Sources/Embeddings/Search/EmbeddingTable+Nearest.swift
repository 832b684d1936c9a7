import LMDB
import StorageBase

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension EmbeddingTable {
  /// Tables of more rows are searched by several threads.
  static let rowsForThreads = 50_000
  /// The most threads of one search.
  private static let mostThreads = 16
  /// Blocks that are handed to the threads at a time: their addresses take 8 bytes each.
  private static let runBlocks = 1 << 16

  /// The search over the blocks of the last commit, in place.
  func scanBlocks(
    _ vectors: [Float], count: Int, metric: SimilarityMetric, excluding excluded: [EmbeddingID],
    threads: Int? = nil
  ) throws(EmbeddingError) -> [[Neighbor]] {
    let table = try CommittedTable(self)
    let excludedRows = try table.rows(of: excluded)
    let empty = NeighborScan(
      queries: vectors, dimension: table.storage.layout.dimension, metric: metric,
      count: min(count, table.count), excluding: excludedRows)
    let threads =
      threads
      ?? (table.count > Self.rowsForThreads
        ? max(1, min(sysconf(Int32(_SC_NPROCESSORS_ONLN)), Self.mostThreads)) : 1)
    var scans = Array(repeating: empty, count: threads)
    for first in stride(from: 0, to: table.blockCount, by: Self.runBlocks) {
      // One transaction serves all threads: LMDB's lookups are this thread's, the blocks that they
      // lead to are memory that stands still as long as the transaction.
      let run = first..<min(first + Self.runBlocks, table.blockCount)
      var blocks: [BlockView] = []
      blocks.reserveCapacity(run.count)
      for number in run {
        blocks.append(try table.storage.block(UInt64(number), in: table.view.transaction))
      }
      if let damaged = Self.scan(blocks, table.count, &scans) {
        throw table.storage.corruption("block \(damaged) does not match its checksum")
      }
    }
    var scan = scans[0]
    for other in scans.dropFirst() { scan.merge(other) }
    return try table.neighbors(scan)
  }

  /// Scans a run of blocks by as many threads as there are scans, and returns the number of a
  /// damaged block, if there is one.
  private static func scan(
    _ blocks: [BlockView], _ rowCount: Int, _ scans: inout [NeighborScan]
  ) -> UInt64? {
    let share = (blocks.count + scans.count - 1) / scans.count
    return inThreads(&scans) { (scan, thread) -> UInt64? in
      let range = min(thread * share, blocks.count)..<min((thread + 1) * share, blocks.count)
      var readAhead = ReadAhead()
      for block in blocks[range] {
        readAhead.reach(block.bytes.baseAddress)
        guard block.isIntact else { return block.number }
        let firstRow = Int(block.number) * block.layout.rowsPerBlock
        scan.add(
          block.vector(0), count: min(block.layout.rowsPerBlock, rowCount - firstRow),
          firstRow: firstRow)
      }
      return nil
    }
  }
}

extension CommittedTable {
  /// The rows of those of `ids` that have one.
  fileprivate func rows(of ids: [EmbeddingID]) throws(EmbeddingError) -> Set<Int> {
    var rows: Set<Int> = []
    try IDColumn(ids, type: storage.idType).batch.withUnsafeIDs { (ids) throws(EmbeddingError) in
      for i in 0..<ids.count {
        let row = try storage.row(of: RowKey(ids, i), in: view.transaction)
        if let row { rows.insert(Int(row)) }
      }
    }
    return rows
  }

  /// What a scan found, with ids.
  fileprivate func neighbors(_ scan: NeighborScan) throws(EmbeddingError) -> [[Neighbor]] {
    var lists: [[Neighbor]] = []
    for best in scan.best {
      let entries = best.sorted
      var keys: [UInt64] = []
      for entry in entries {
        let place = storage.layout.place(ofRow: UInt64(entry.row))
        keys.append(try storage.block(place.block, in: view.transaction).key(place.index))
      }
      var ids = IDColumn(type: storage.idType)
      try storage.appendIDs(
        rows: entries.map { UInt64($0.row) }, keys: keys, to: &ids, in: view.transaction)
      lists.append(
        entries.indices.map { i in
          Neighbor(
            id: ids[i], score: scan.score(ofMerit: entries[i].merit), row: entries[i].row)
        })
    }
    return lists
  }
}

import CKernels
import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// The kernel that copies the vectors of ids whose row and block are known, on blocks in memory.
@Suite struct LocatedRowsTests {
  /// A table's shape, and the row count that its row numbers are made for.
  struct Shape: Sendable {
    let dimension: Int
    let slotCount: Int
    let rowCount: UInt64
  }

  static let shapes = [
    // Tags of 6 bits: many rows are a second candidate or a later one.
    Shape(dimension: 64, slotCount: 0, rowCount: 1 << 24),
    Shape(dimension: 3, slotCount: 1, rowCount: 300_000),
    Shape(dimension: 17, slotCount: 17, rowCount: 1 << 30),
    // A row a block, and a row that is not prefetched to its end.
    Shape(dimension: 1000, slotCount: 0, rowCount: 1 << 24),
  ]

  private static let rows = 3000
  private let pageSize = 4096

  private func row(_ id: Int64) -> Int { Int(id) * 7919 % Self.rows }

  private func vector(_ id: Int64, _ dimension: Int) -> [Float] {
    (0..<dimension).map { Float(id) + Float($0) / 1024 }
  }

  /// Blocks with the rows of the ids from 1 on, each at the place in a page where LMDB has it.
  private func withBlocks(
    _ layout: BlockLayout, _ body: (_ start: UnsafeMutableRawPointer, _ bytes: Int) throws -> Void
  ) rethrows {
    let blockBytes = layout.pages * pageSize
    let count = Int(layout.blockCount(rows: UInt64(Self.rows)))
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: count * blockBytes, alignment: pageSize)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: count * blockBytes)
    defer { memory.deallocate() }
    for id in 1...Int64(Self.rows) {
      let (block, index) = layout.place(ofRow: UInt64(row(id)))
      var buffer = BlockBuffer(
        layout: layout,
        changing: memory + Int(block) * blockBytes + Int(BlockAddresses.pageOffset))
      buffer.setFixed(
        index, key: UInt64(bitPattern: id), frequency: 1, lastStep: 0, generation: 1)
      vector(id, layout.dimension).withUnsafeBytes {
        buffer.setVector(index, from: $0.baseAddress!)
      }
    }
    try body(memory, blockBytes)
  }

  @Test(arguments: KernelTests.variants, shapes)
  func knownRowsAreCopiedAndTheOthersNoted(variant: UInt32, shape: Shape) throws {
    let layout = BlockLayout(dimension: shape.dimension, slotCount: shape.slotCount)
    let budget = CacheBudget(bytes: 64 << 20)
    // Nearly full: many entries stand in another bucket than their own.
    let numbers = try #require(
      RowNumbers(.init(rowCount: shape.rowCount, entries: Self.rows * 17 / 16), budget: budget))
    for id in 1...Int64(Self.rows) {
      numbers.store(RowKey(int64: id).hash, row: UInt64(row(id)))
    }
    let directory = BlockAddresses(budget: budget)
    let blockCount = layout.blockCount(rows: UInt64(Self.rows))
    let addresses = try #require(
      directory.lease(transaction: 7, mapMoves: 0, blockCount: blockCount))
    // Present, absent and repeated ids, and those that look like places without a row.
    var ids = (1...Int64(Self.rows)).map { $0 * 1013 % Int64(Self.rows + 1) }
    ids += [0, 0, -1, .min, .max] + ids[0..<700] + (0..<600).map { Int64(1_000_000 + $0) }

    try withBlocks(layout) { start, blockBytes in
      // The address of block 1 is not known.
      for block in 0..<blockCount where block != 1 {
        addresses.store(
          block, at: start + Int(block) * blockBytes + Int(BlockAddresses.pageOffset))
      }
      var locations = ck_locations(numbers, addresses, layout)
      var output = [Float](repeating: -1, count: ids.count * layout.dimension)
      var others = [UInt32](repeating: 0, count: ids.count)
      let count = KernelTests.kernels(variant).copy_located(
        &locations, ids, ids.count, &output, &others)
      let noted = Set(others[0..<count])
      #expect(noted.count == count)
      var (copied, later) = (0, 0)
      for (i, id) in ids.enumerated() {
        let known = candidates(numbers, id)
        let isKnown =
          (1...Int64(Self.rows)).contains(id) && known.contains(UInt64(row(id)))
          && layout.place(ofRow: UInt64(row(id))).block != 1
        try #require(noted.contains(UInt32(i)) == !isKnown, "id \(id) at \(i)")
        let result = Array(output[i * layout.dimension..<(i + 1) * layout.dimension])
        let expected =
          isKnown
          ? vector(id, layout.dimension) : [Float](repeating: -1, count: layout.dimension)
        try #require(result == expected, "id \(id) at \(i)")
        copied += isKnown ? 1 : 0
        later += isKnown && known[0] != UInt64(row(id)) ? 1 : 0
      }
      #expect(copied > Self.rows)
      if shape.rowCount == 1 << 24 { #expect(later > 100) }
    }
  }

  private func candidates(_ numbers: RowNumbers, _ id: Int64) -> [UInt64] {
    var candidates = numbers.candidates(RowKey(int64: id).hash)
    return Array(AnyIterator { candidates.next() })
  }
}

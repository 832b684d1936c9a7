import Embeddings
import TestSupport
import Testing

@Suite struct LookupContractTests {
  @Test(arguments: Contract.all)
  func servingLeavesUnseenIDsUnseen(contract: Contract) throws {
    let pair = try Pair(contract)
    let found = try pair.store.lookup(contract.column([1, 2, 1]))
    #expect(found == pair.reference.lookup(contract.ids([1, 2, 1]), mode: .serving))
    #expect(try pair.store.count == 0)
    #expect(try !pair.store.contains(contract.id(1)))
  }

  @Test(arguments: Contract.all)
  func trainingMakesRowsOfUnseenIDs(contract: Contract) throws {
    let pair = try Pair(contract)
    let ids = contract.ids([5, 6, 5, 7])
    let found = try pair.store.lookup(contract.column(ids), mode: .training)
    #expect(found == pair.reference.lookup(ids, mode: .training))
    #expect(
      try pair.store.metadata(of: contract.id(5))
        == RowMetadata(frequency: 0, lastStep: 0, isPresent: true))
    try pair.expectEqual(0..<10)
  }

  @Test(arguments: Contract.all)
  func emptyBatchesDoNothing(contract: Contract) throws {
    let pair = try Pair(contract)
    let none = contract.column([EmbeddingID]())
    #expect(try pair.store.lookup(none, mode: .training) == [])
    try pair.store.update(none, gradients: [], step: 1)
    try pair.store.assign(none, vectors: [])
    try pair.store.addFrequency(none.batch)
    #expect(try pair.store.delete(none.batch) == 0)
    #expect(try pair.store.metadata(none) == [])
    #expect(try pair.store.importRows(ImportOptions()) { { (_, _) in false } } == ImportSummary())
    try pair.expectEqual(0..<3)
  }

  @Test(
    arguments: Contract.all, [1, 3, 64, 300, 1024, 8192])
  func everyDimensionIsTrainedAlike(contract: Contract, dimension: Int) throws {
    // The tiny cache holds not one row of the largest dimensions.
    if contract.backend == .tinyCache && dimension > 300 { return }
    let pair = try Pair(contract, dimension: dimension)
    let count = dimension > 1000 ? 4 : 20
    for step in 1...3 { try pair.update(Array(0..<count) + [0, 1], step: Int64(step)) }
    try pair.expectEqual(0..<count + 2)
    try pair.update(Array(2..<count + 2), step: 4)
    try pair.expectEqual(0..<count + 2)
  }

  @Test(arguments: Backend.allCases)
  func integerIDsSpanTheirWholeRange(backend: Backend) throws {
    let pair = try Pair(Contract(backend: backend, idType: .int64))
    try pair.update([.min, .max, 0, -1, 1, .min])
    try pair.expectEqual([.max, .min, .max - 1, .min + 1, 0, 1, -1, 2])
  }

  @Test(arguments: Backend.allCases)
  func byteStringsOfAnyBytesAndLengthAreIDs(backend: Backend) throws {
    let directory = TemporaryDirectory()
    let contract = Contract(backend: backend, idType: .bytes)
    let store = try backend.make(contract.configuration(), in: directory)
    var reference = ReferenceTable(contract.configuration())
    var ids: [EmbeddingID] = [.bytes([0]), .bytes([0, 0]), .bytes([0xFF]), .bytes([0xC3, 0x28])]
    for count in [1, 2, 16, 500, 511, 512, 2000, 4096, 10_000] {
      ids.append(.bytes([UInt8](repeating: 0x61, count: count)))
      ids.append(.bytes([UInt8](repeating: 0x61, count: count - 1) + [0]))
    }
    ids = Array(Set(ids))
    for step in 1...2 {
      let gradients = (0..<ids.count * 3).map { Float($0) }
      try store.update(contract.column(ids), gradients: gradients, step: Int64(step))
      reference.update(ids, gradients: gradients, step: Int64(step))
      try backend.commit(store, step: Int64(step))
    }
    #expect(
      try store.lookup(contract.column(ids)) == reference.lookup(ids, mode: .serving))
    #expect(try reference.difference(fromAny: store) == nil)
  }

  @Test(arguments: Contract.all)
  func idsMayStartAnywhereInTheirBuffer(contract: Contract) throws {
    guard contract.idType == .bytes else { return }
    let pair = try Pair(contract)
    let offsets: [Int32] = [3, 4, 6]
    let bytes = Array("xxxabcyy".utf8)
    var vectors = [Float](repeating: 0, count: 6)
    var span = vectors.mutableSpan
    try pair.store.lookup(
      IDBatch(offsets: offsets.span, bytes: bytes.span.bytes), into: &span, mode: .training)
    #expect(vectors == pair.reference.lookup(["a", "bc"], mode: .serving))
    #expect(try pair.store.contains("a"))
    #expect(try pair.store.contains("bc"))
  }
}

extension ReferenceTable {
  func difference(fromAny store: any EmbeddingStore) throws -> String? {
    func open(_ store: some EmbeddingStore) throws -> String? { try difference(from: store) }
    return try open(store)
  }
}

import Embeddings
import TestSupport
import Testing

@Suite struct ImportContractTests {
  /// Rows `numbers`, whose vectors hold `value`.
  private func rows(
    _ contract: Contract, _ numbers: [Int], _ value: Float, withEverything: Bool = false
  ) -> RowBatch {
    var batch = RowBatch(idType: contract.idType, dimension: 3, slotCount: 3)
    batch.ids = contract.column(numbers)
    batch.vectors = (0..<numbers.count * 3).map { value + Float($0) }
    if withEverything {
      batch.slots = (0..<numbers.count * 3).map { Float($0) }
      batch.frequencies = numbers.indices.map { UInt64($0 * 7) }
      batch.lastSteps = numbers.indices.map { Int64($0) - 3 }
    }
    return batch
  }

  @Test(
    arguments: Contract.all, [ImportOptions.Existing.replace, .keep])
  func existingRowsAreReplacedOrKept(
    contract: Contract, existing: ImportOptions.Existing
  ) throws {
    let pair = try Pair(contract)
    try pair.update(Array(0..<40), step: 2)
    let options = ImportOptions(existing: existing, step: 77)
    for everything in [false, true] {
      let batches = [
        rows(contract, [30, 31, 100, 30, 101], 5, withEverything: everything),
        rows(contract, [100, 31, 32, 200, 201, 200], 50, withEverything: everything),
      ]
      let summary = try pair.store.importRows(options, from: batches)
      #expect(summary == pair.reference.importRows(batches, options))
      try pair.expectEqual(0..<210)
      try pair.update([30, 100, 101], step: 3)
    }
    try pair.expectEqual(0..<210)
  }

  @Test(arguments: Contract.all)
  func anImportThatFailsLeavesTheTableAsItWas(contract: Contract) throws {
    let pair = try Pair(contract)
    try pair.update(Array(0..<20), step: 2)
    let good = rows(contract, [5, 500, 501], 5)
    var notFinite = rows(contract, [600], 1)
    notFinite.vectors[1] = .nan
    var badSlots = rows(contract, [600], 1, withEverything: true)
    badSlots.slots[2] = .infinity
    var ragged = rows(contract, [600, 601], 1)
    ragged.frequencies = [1]
    var wide = RowBatch(idType: contract.idType, dimension: 4)
    wide.ids = contract.column([600])
    wide.vectors = [1, 2, 3, 4]
    var otherIDs = RowBatch(idType: contract.idType == .int64 ? .bytes : .int64, dimension: 3)
    otherIDs.ids = contract.idType == .int64 ? IDColumn(["x"]) : IDColumn([1])
    otherIDs.vectors = [1, 2, 3]
    let cases: [(RowBatch, EmbeddingError.Code)] = [
      (notFinite, .invalidArgument), (badSlots, .invalidArgument), (ragged, .invalidArgument),
      (wide, .configurationMismatch), (otherIDs, .configurationMismatch),
    ]
    for (bad, expected) in cases {
      #expect(
        code { try pair.store.importRows(ImportOptions(), from: [good, bad]) } == expected)
      try pair.expectEqual(0..<20)
    }
    #expect(
      code {
        try pair.store.importRows(ImportOptions(existing: .refuse), from: [good])
      } == .alreadyExists)
    #expect(
      code {
        try pair.store.importRows(ImportOptions(), from: [good], thenThrow: .malformedInput)
      } == .malformedInput)
    try pair.expectEqual(0..<20)
    let summary = try pair.store.importRows(
      ImportOptions(existing: .refuse), from: [rows(contract, [500, 501], 1)])
    #expect(summary.inserted == 2)
  }

  @Test(arguments: Contract.all, [1, 5, 64, 1000, 100_000])
  func exportKeepsToItsBatchSizeAndStopsWhenTold(contract: Contract, size: Int) throws {
    let pair = try Pair(contract)
    for start in stride(from: 0, to: 700, by: 70) { try pair.update(Array(start..<start + 70)) }
    try contract.backend.commit(pair.store)
    #expect(try pair.difference(batchSize: size) == nil)
    var batches = 0
    try pair.store.forEachBatch(ofAtMost: size, includingSlots: false) { (batch) in
      #expect(batch.slots.isEmpty && batch.count > 0 && batch.count <= size)
      batches += 1
      return batches < 2
    }
    #expect(batches == (size >= 700 ? 1 : 2))
  }

  @Test(arguments: Contract.all)
  func exportedRowsComeBackWhole(contract: Contract) throws {
    let pair = try Pair(contract)
    for step in 1...3 { try pair.update((0..<60).map { $0 * step % 97 }, step: Int64(step)) }
    try contract.backend.commit(pair.store)
    var batches: [RowBatch] = []
    try pair.store.forEachBatch(ofAtMost: 13, includingSlots: true) { (batch) in
      batches.append(copy batch)
      return true
    }
    let second = try Pair(contract)
    try second.store.importRows(ImportOptions(), from: batches)
    second.reference = pair.reference
    try second.expectEqual(0..<97)
  }

  @Test(arguments: Contract.all)
  func samplesAreRowsAndPositivesComeFirst(contract: Contract) throws {
    let pair = try Pair(contract)
    #expect(
      code {
        _ = try pair.store.sample(
          SamplingRequest(count: 1, seed: 1), positives: contract.column([EmbeddingID]()))
      } == .invalidArgument)
    try pair.update(Array(0..<60))
    try contract.backend.commit(pair.store)
    for distribution in [SamplingDistribution.uniform, .logUniform, .unigram(distortion: 0.75)] {
      let request = SamplingRequest(count: 20, distribution: distribution, seed: 3)
      let sample = try pair.store.sample(request, positives: contract.column([3, 1000]))
      let ids = (0..<20).map { sample.ids[$0] }
      #expect(ids.prefix(2) == contract.ids([3, 1000])[...])
      #expect(sample.isPositive == [true, true] + [Bool](repeating: false, count: 18))
      #expect(Set(ids).count == 20)
      #expect(ids.dropFirst(2).allSatisfy { pair.reference.rows[$0] != nil })
    }
  }
}

extension EmbeddingStore {
  /// Imports batches, and then fails, if asked to.
  @discardableResult
  func importRows(
    _ options: ImportOptions, from batches: [RowBatch],
    thenThrow code: EmbeddingError.Code? = nil
  ) throws(EmbeddingError) -> ImportSummary {
    try importRows(options) { () throws(EmbeddingError) -> RowSource in
      var next = 0
      return { (batch, _) throws(EmbeddingError) in
        guard next < batches.count else {
          if let code { throw EmbeddingError(code, "the source fails") }
          return false
        }
        batch = batches[next]
        next += 1
        return true
      }
    }
  }
}

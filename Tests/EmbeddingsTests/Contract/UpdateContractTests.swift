import Embeddings
import TestSupport
import Testing

@Suite struct UpdateContractTests {
  @Test(arguments: Contract.all)
  func duplicatesAreSummedAndAppliedOnce(contract: Contract) throws {
    let pair = try Pair(contract)
    try pair.update([1, 2, 1, 1, 3], step: 9)
    try pair.update([3, 3, 2], step: 10, learningRate: 0.5)
    try pair.expectEqual(0..<5)
  }

  @Test(arguments: Contract.all)
  func frequencyCountsUpdatesOccurrencesOrNothing(contract: Contract) throws {
    let pair = try Pair(contract)
    try pair.update([1, 1, 2], counting: .updates)
    #expect(try pair.store.metadata(of: contract.id(1)).frequency == 1)
    try pair.update([1, 1, 2], counting: .occurrences)
    #expect(try pair.store.metadata(of: contract.id(1)).frequency == 3)
    try pair.update([1, 1, 2], counting: .none)
    #expect(try pair.store.metadata(of: contract.id(1)).frequency == 3)
    try pair.expectEqual(0..<3)
  }

  @Test(arguments: Contract.all)
  func addedFrequenciesChangeNothingElse(contract: Contract) throws {
    let pair = try Pair(contract)
    try pair.update([1, 2])
    try pair.store.addFrequency(contract.column([1, 1, 9]).batch)
    pair.reference.addFrequency(contract.ids([1, 1, 9]))
    #expect(try pair.store.metadata(of: contract.id(1)).frequency == 3)
    try pair.expectEqual(0..<10)
  }

  @Test(arguments: Contract.all)
  func theLargestFrequencyStays(contract: Contract) throws {
    let pair = try Pair(contract)
    var batch = RowBatch(idType: contract.idType, dimension: 3)
    batch.ids = contract.column([1])
    batch.vectors = [1, 2, 3]
    batch.frequencies = [.max - 1]
    try pair.store.importRows(ImportOptions(), from: [batch])
    try pair.store.addFrequency(contract.column([1, 1, 1]).batch)
    #expect(try pair.store.metadata(of: contract.id(1)).frequency == .max)
    try pair.store.update(
      contract.column([1]), gradients: [0, 0, 0], step: 1, counting: .occurrences)
    #expect(try pair.store.metadata(of: contract.id(1)).frequency == .max)
  }

  @Test(arguments: Contract.all)
  func theLastAssignedVectorWinsAndSlotsStay(contract: Contract) throws {
    let pair = try Pair(contract)
    try pair.update([1, 2])
    let ids = contract.ids([1, 5, 1])
    let vectors: [Float] = [1, 1, 1, 5, 5, 5, 2, 2, 2]
    try pair.store.assign(contract.column(ids), vectors: vectors, step: 8)
    pair.reference.assign(ids, vectors: vectors, step: 8)
    #expect(try pair.store.lookup(contract.column([1])) == [2, 2, 2])
    try pair.update([1, 5], step: 9)
    try pair.expectEqual(0..<6)
  }

  @Test(arguments: Contract.all)
  func deletedRowsStartAnew(contract: Contract) throws {
    let pair = try Pair(contract)
    try pair.update(Array(0..<50))
    try pair.expectEqual(0..<50)
    let gone = Array(stride(from: 0, to: 50, by: 3)) + [0, 99]
    #expect(
      try pair.store.delete(contract.column(gone).batch)
        == pair.reference.delete(contract.ids(gone)))
    #expect(
      try pair.store.lookup(contract.column([0]))
        == pair.reference.lookup([contract.id(0)], mode: .serving))
    try pair.update([0, 3, 4], step: 2)
    try pair.expectEqual(0..<50)
    #expect(try pair.store.delete(contract.column(0..<50).batch) == pair.reference.rows.count)
    #expect(try pair.store.count == 0)
    pair.reference.rows = [:]
    try pair.expectEqual(0..<50)
    try pair.update([7], step: 3)
    try pair.expectEqual(0..<50)
  }

  @Test(arguments: Contract.all)
  func gradientsThatAreNotFiniteChangeNothing(contract: Contract) throws {
    let pair = try Pair(contract)
    try pair.update([1])
    for bad in [Float.nan, .infinity, -.infinity] {
      for position in [0, 5] {
        var gradients = [Float](repeating: 1, count: 6)
        gradients[position] = bad
        #expect(
          code { try pair.store.update(contract.column([1, 2]), gradients: gradients, step: 2) }
            == .invalidArgument)
        #expect(
          code { try pair.store.assign(contract.column([1, 2]), vectors: gradients) }
            == .invalidArgument)
      }
    }
    #expect(
      code {
        try pair.store.update(
          contract.column([1]), gradients: [1, 1, 1], step: 2, learningRate: .nan)
      } == .invalidArgument)
    try pair.expectEqual(0..<3)
  }

  @Test(arguments: Contract.all)
  func batchesThatDoNotFitAreRefused(contract: Contract) throws {
    let pair = try Pair(contract)
    let store = pair.store
    let other =
      contract.idType == .int64 ? IDColumn(["a"]) : IDColumn([1])
    var three: [Float] = [1, 2, 3]
    var four: [Float] = [1, 2, 3, 4]
    let codes = [
      code {
        var s = three.mutableSpan; try store.lookup(other.batch, into: &s, mode: .serving)
      },
      code { try store.update(other, gradients: three, step: 1) },
      code { try store.assign(other, vectors: three) },
      code { try store.addFrequency(other.batch) },
      code { try store.delete(other.batch) },
      code { _ = try store.metadata(other) },
      code { _ = try store.sample(SamplingRequest(count: 1, seed: 1), positives: other) },
      code {
        var s = four.mutableSpan
        try store.lookup(contract.column([1]).batch, into: &s, mode: .training)
      },
      code { try store.update(contract.column([1]), gradients: four, step: 1) },
      code { try store.assign(contract.column([1]), vectors: []) },
    ]
    for (i, code) in codes.enumerated() { #expect(code == .invalidArgument, "call \(i)") }
    try pair.expectEqual(0..<3)
  }

  @Test(arguments: Backend.allCases)
  func brokenOffsetsAndEmptyIDsAreRefused(backend: Backend) throws {
    let pair = try Pair(Contract(backend: backend, idType: .bytes))
    let bytes = Array("abcdef".utf8)
    for offsets in [[0, 2, 2], [0, 3, 2], [-1, 2, 3], [0, 2, 7], [0, 0, 1]] as [[Int32]] {
      #expect(
        code {
          try pair.store.update(
            IDBatch(offsets: offsets.span, bytes: bytes.span.bytes),
            gradients: [Float](repeating: 1, count: 6).span, step: 5, learningRate: nil,
            counting: .updates)
        } == .invalidArgument, "\(offsets)")
    }
    try pair.expectEqual(0..<3)
  }
}

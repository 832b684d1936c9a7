import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// Batches that ask for their blocks ahead, as they do where a disk is slow.
@Suite struct ColdReadTests {
  let scratch = Scratch()

  @Test(arguments: [IDType.int64, .bytes], [8, 1500])
  func batchesThatAskAheadReadTheSameRows(type: IDType, dimension: Int) throws {
    let configuration = TableConfiguration(
      dimension: dimension, idType: type, seed: 4, optimizer: .sgd(learningRate: 1))
    let count = 1_000_000 / dimension / 10
    func id(_ number: Int) -> EmbeddingID {
      type == .int64 ? .int64(Int64(number)) : EmbeddingID("id \(number)")
    }
    let database = try scratch.open(budget: 2 << 20)
    let table = try database.table("t", configuration)
    var reference = ReferenceTable(configuration)
    var random = SeededGenerator(seed: 8)
    let all = (0..<min(count, 2000)).map(id)
    let gradients = random.floats(all.count * dimension)
    try table.update(IDColumn(all, type: type), gradients: gradients, step: 1)
    reference.update(all, gradients: gradients, step: 1)
    try database.commit(step: 1)
    for round in 0..<12 {
      // Half of them have a row, and some come more than once.
      let ids = (0..<200).map { _ in id(Int.random(in: 0..<2 * all.count, using: &random)) }
      try database.shareCachesAnew()
      table.core.coldReads.askAhead()
      let mode: LookupMode = round % 3 == 2 ? .training : .serving
      let expected = reference.lookup(ids, mode: mode)
      #expect(try table.lookup(IDColumn(ids, type: type), mode: mode) == expected)
    }
  }

  @Test func batchesAskForAsLongAsTheirTurnsLast() {
    let reads = ColdReads()
    #expect(!reads.begin(misses: 1000).asksAhead)
    reads.askAhead()
    // Small ones do not.
    #expect(!reads.begin(misses: 10).asksAhead)
    for _ in 0..<15 { #expect(reads.begin(misses: 1000).asksAhead) }
    let next = reads.begin(misses: 1000)
    #expect(!next.asksAhead)
    // It waited for nothing.
    reads.end(next)
    #expect(!reads.begin(misses: 1000).asksAhead)
  }
}

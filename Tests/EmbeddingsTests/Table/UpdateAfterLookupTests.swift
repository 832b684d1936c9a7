import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// An update finds its rows where the lookup before it, of the same ids, left them; whatever happened
/// to them in between, it must train the right ones.
@Suite struct UpdateAfterLookupTests {
  /// What happens between a lookup and its update.
  enum Event: CaseIterable {
    case nothing, otherIDs, sameIDsInReverse, deletion, committedDeletion, eviction, emptiedCache
  }

  @Test(arguments: Event.allCases, [IDType.int64, .bytes])
  func rowsAreTrainedWhereverTheyStandByThen(event: Event, idType: IDType) throws {
    for isRoomy in [false, true] { try check(event, idType, isRoomy: isRoomy) }
  }

  private func check(_ event: Event, _ idType: IDType, isRoomy: Bool) throws {
    let scratch = Scratch()
    var configuration = plain
    configuration.idType = idType
    let database = try scratch.open(budget: isRoomy ? 16 << 20 : 600 << 10)
    let table = try database.table("a", configuration)
    // More than a small cache holds.
    let others = [1000..<3000, 3000..<5000, 5000..<7000, 7000..<9000].map { column($0, idType) }
    for ids in others {
      _ = try table.lookup(ids, mode: .training)
      try database.commit()
    }
    // Some ids twice.
    let ids = column(Array(0..<300) + Array(100..<150), idType)
    _ = try table.lookup(ids, mode: .training)
    try database.commit()
    try train(table, ids)
    #expect(try table.lookup(ids) == expected(times: 1))
    try database.commit()

    // The scratch that remembers is left alone by what follows: another one lies above it.
    try table.core.scratch.withScratch { (_) throws(EmbeddingError) in
      _ = try table.lookup(ids, mode: .training)
    }
    var times = 2
    switch event {
    case .nothing: _ = try table.lookup(ids, mode: .training)
    case .otherIDs: try onAnotherThread { _ = try table.lookup(others[0]) }
    case .sameIDsInReverse:
      try onAnotherThread { try train(table, column((0..<300).reversed(), idType)) }
    case .deletion:
      try onAnotherThread { try table.delete(column(0..<300, idType).batch) }
    case .committedDeletion:
      try onAnotherThread {
        try table.delete(column(0..<300, idType).batch)
        try database.commit()
      }
    case .eviction:
      try onAnotherThread { for ids in others { _ = try table.lookup(ids, mode: .training) } }
    case .emptiedCache:
      _ = try table.lookup(ids, mode: .training)
      table.cache.removeAll()
    }
    let departures = table.cache.pins.departureCount
    try train(table, ids)
    // Or else this tests nothing.
    try table.core.scratch.withScratch { (scratch) throws(EmbeddingError) in
      #expect(scratch.hasLikelySlots)
      let causes: [Event] = isRoomy ? [] : [.otherIDs, .eviction]
      let haveLeft = (causes + [.committedDeletion, .emptiedCache]).contains(event)
      #expect((scratch.departures == departures) == !haveLeft)
      #expect(table.cache.canGrow == isRoomy || event == .emptiedCache)
    }
    switch event {
    case .sameIDsInReverse: times = 3
    case .deletion, .committedDeletion: times = 1
    default: break
    }
    #expect(try table.lookup(ids) == expected(times: times))
    #expect(try table.metadata(ids).allSatisfy { $0.frequency == UInt64(times) && $0.isPresent })
    try database.commit()
    #expect(try database.verify().isIntact)
    try database.close()
  }

  /// Every occurrence of an id has a gradient of -1.
  private func train(_ table: EmbeddingTable, _ ids: IDColumn) throws(EmbeddingError) {
    try table.update(ids, gradients: [Float](repeating: -1, count: 4 * ids.count), step: 1)
  }

  /// The vectors of `Array(0..<300) + Array(100..<150)` after so many updates; of three, one had every
  /// id once.
  private func expected(times: Int) -> [Float] {
    (Array(0..<300) + Array(100..<150)).flatMap { id in
      let isTwice = (100..<150).contains(id)
      let sum = !isTwice ? times : times == 3 ? 5 : 2 * times
      return [Float](repeating: Float(sum), count: 4)
    }
  }

  private func column(_ ids: some Sequence<Int>, _ type: IDType) -> IDColumn {
    type == .int64 ? IDColumn(ids.map { Int64($0) }) : IDColumn(ids.map { "id \($0)" })
  }

  private func onAnotherThread(_ body: () throws -> Void) throws {
    var result = Result<Void, any Error>.success(())
    concurrently({ result = Result { try body() } }, {})
    try result.get()
  }
}

import LMDB
import StorageBase
import TestSupport
import Testing

/// What callers who remember addresses of values rely on.
@Suite struct AddressTests {
  let directory = TemporaryDirectory()

  private func address(
    _ environment: Environment, _ key: UInt64, in rows: NamedDatabase
  ) throws(EmbeddingError) -> (address: UInt, id: UInt64, mapMoves: UInt64) {
    try environment.read { (transaction) throws(EmbeddingError) in
      let value = try transaction.get(key, in: rows)!
      return (UInt(bitPattern: value.baseAddress), transaction.id, transaction.mapMoves)
    }
  }

  @Test func aValueStandsStillUntilACommitOrAMoveOfTheMap() throws {
    let environment = try open(directory.path, mapSize: 1 << 20)
    let rows = try environment.rows()
    for key in 0..<20 as Range<UInt64> { try environment.set(key, 1, count: 4080, in: rows) }
    let first = try address(environment, 3, in: rows)
    #expect(try address(environment, 3, in: rows) == first)
    // Another value of this size changes: this one, on a page of its own, stays where it is.
    try environment.set(4, 2, count: 4080, in: rows)
    let second = try address(environment, 3, in: rows)
    #expect(second.address == first.address && second.mapMoves == first.mapMoves)
    #expect(second.id == first.id + 1)
    // The map grows.
    try environment.set(5, 2, count: 4 << 20, in: rows)
    let third = try address(environment, 3, in: rows)
    #expect(third.mapMoves > first.mapMoves)
  }

  @Test func aValueOfAPageStandsBehindThePagesHeader() throws {
    let environment = try open(directory.path, mapSize: 1 << 24)
    let rows = try environment.rows()
    #expect(environment.pageSize >= 4096)
    for key in 0..<100 as Range<UInt64> { try environment.set(key, 1, count: 4080, in: rows) }
    for key in 0..<100 as Range<UInt64> where environment.pageSize == 4096 {
      #expect(try address(environment, key, in: rows).address % 4096 == 16)
    }
  }
}

import StorageBase
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

@Suite struct DoorkeeperTests {
  @Test func anIdIsLetInTheSecondTime() {
    let doorkeeper = Doorkeeper(rows: 1000)
    for id in 0..<200 as Range<UInt64> { _ = doorkeeper.admits(RowKey.hash(id)) }
    for id in 0..<200 as Range<UInt64> { #expect(doorkeeper.admits(RowKey.hash(id))) }
  }

  @Test func fewAreLetInTheFirstTime() {
    let doorkeeper = Doorkeeper(rows: 10_000)
    let mistakes = (0..<1_000_000 as Range<UInt64>).count { doorkeeper.admits(RowKey.hash($0)) }
    #expect(mistakes < 100_000, "one in sixteen is expected")
    #expect(mistakes > 30_000)
  }

  @Test func itForgetsAfterAsManyAsTheCacheHolds() {
    let doorkeeper = Doorkeeper(rows: 1000)
    _ = doorkeeper.admits(RowKey.hash(1))
    for id in 2..<1500 as Range<UInt64> { _ = doorkeeper.admits(RowKey.hash(id)) }
    #expect(!doorkeeper.admits(RowKey.hash(1)))
    #expect(doorkeeper.admits(RowKey.hash(1)))
  }

  @Test func itTakesAByteARow() {
    #expect(Doorkeeper(rows: 8000).bytes == 8000)
    #expect(Doorkeeper(rows: 0).bytes == 64)
  }
}

import StorageBase
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

@Suite struct BlockAddressesTests {
  private let budget = CacheBudget(bytes: 8 << 20)

  /// Where block `block` of version `version` stands, in these tests.
  private func address(_ block: UInt64, _ version: Int = 0) -> UnsafeRawPointer {
    UnsafeRawPointer(bitPattern: (UInt(block) * 1000 + UInt(version) + 5) << 12 | 16)!
  }

  private func begin(
    _ addresses: BlockAddresses, _ transaction: UInt64, mapMoves: UInt64 = 0,
    blockCount: UInt64 = 10_000
  ) -> BlockAddresses.Lease? {
    addresses.lease(transaction: transaction, mapMoves: mapMoves, blockCount: blockCount)
  }

  @Test func addressesAreRememberedForTheirCommit() throws {
    let addresses = BlockAddresses(budget: budget)
    let first = try #require(begin(addresses, 7))
    #expect(first[3] == nil && budget.lookupBytes < 100)
    for block in [3, 4096, 9999] as [UInt64] { first.store(block, at: address(block)) }
    let second = try #require(begin(addresses, 7))
    for block in [3, 4096, 9999] as [UInt64] { #expect(second[block] == address(block)) }
    #expect(second[4] == nil && second[1 << 40] == nil)
    // Three chunks of the five.
    #expect(budget.lookupBytes > 3 * 32_768 && budget.lookupBytes < 4 * 32_768)
  }

  @Test func anotherProcessesCommitDropsAll() throws {
    let addresses = BlockAddresses(budget: budget)
    try #require(begin(addresses, 7)).store(3, at: address(3))
    #expect(try #require(begin(addresses, 8))[3] == nil)
    // A batch that began before that commit.
    #expect(begin(addresses, 7) == nil)
  }

  @Test func aMapThatMovedDropsAll() throws {
    let addresses = BlockAddresses(budget: budget)
    try #require(begin(addresses, 7)).store(3, at: address(3))
    #expect(try #require(begin(addresses, 7, mapMoves: 1))[3] == nil)
  }

  @Test func aCommitThatTellsWhatChangedKeepsTheRest() throws {
    let addresses = BlockAddresses(budget: budget)
    let before = try #require(begin(addresses, 7))
    for block in 0..<10 as Range<UInt64> { before.store(block, at: address(block)) }
    addresses.expect(8)
    #expect(begin(addresses, 8) == nil, "what changed is not known yet")
    #expect(try #require(begin(addresses, 7))[1] == address(1))
    addresses.advance(to: 8, changed: [2, 5], blockCount: 8)
    let after = try #require(begin(addresses, 8))
    for block in 0..<10 as Range<UInt64> {
      #expect(after[block] == ([2, 5, 8, 9].contains(block) ? nil : address(block)))
    }
    #expect(begin(addresses, 7) == nil)
  }

  @Test func aCommitThatNobodyToldOfDropsAll() throws {
    let addresses = BlockAddresses(budget: budget)
    try #require(begin(addresses, 7)).store(3, at: address(3))
    addresses.expect(9)
    addresses.advance(to: 9, changed: [], blockCount: 10_000)
    #expect(try #require(begin(addresses, 9))[3] == nil)
  }

  @Test func aCommitThatFailedIsForgottenWithTheNext() throws {
    let addresses = BlockAddresses(budget: budget)
    try #require(begin(addresses, 7)).store(3, at: address(3))
    addresses.expect(8)
    #expect(try #require(begin(addresses, 7))[3] == address(3))
    addresses.expect(8)
    addresses.advance(to: 8, changed: [4], blockCount: 10_000)
    #expect(try #require(begin(addresses, 8))[3] == address(3))
  }

  @Test func oldTagsAreNotTakenForNewOnesWhenTheyRunOut() throws {
    let addresses = BlockAddresses(budget: budget, tagBits: 2)
    let old = try #require(begin(addresses, 1))
    for transaction in 2..<20 as Range<UInt64> {
      let lease = try #require(begin(addresses, transaction))
      // The batch of the first commit is still at work.
      old.store(3, at: address(3, 1))
      #expect(lease[3] == nil, "at \(transaction)")
      #expect(old[3] == address(3, 1))
      lease.store(3, at: address(3, Int(transaction)))
      #expect(lease[3] == address(3, Int(transaction)))
    }
    // The memory of that batch, and that of now.
    #expect(budget.lookupBytes < 3 * 40_000)
  }

  @Test func aTableThatGrewGetsRoom() throws {
    let addresses = BlockAddresses(budget: budget)
    let small = try #require(begin(addresses, 1, blockCount: 1))
    small.store(100_000, at: address(100_000))
    #expect(small[100_000] == nil)
    let large = try #require(begin(addresses, 1, blockCount: 100_001))
    large.store(100_000, at: address(100_000))
    #expect(large[100_000] == address(100_000))
  }

  @Test func addressesOfAnotherShapeAreLeftOut() throws {
    let lease = try #require(begin(BlockAddresses(budget: budget), 1))
    lease.store(1, at: address(1) + 2)
    #expect(lease[1] == nil)
    lease.store(1, at: UnsafeRawPointer(bitPattern: 1 << 60 | 16)!)
    #expect(lease[1] == nil)
    #expect(BlockAddresses.isUsable(byteCount: 4080, pageSize: 4096))
    #expect(!BlockAddresses.isUsable(byteCount: 4080, pageSize: 16_384))
  }

  @Test func theBudgetIsKeptAndGivenBack() throws {
    for bytes in [0, 100_000, 1 << 20] {
      let budget = CacheBudget(bytes: bytes)
      do {
        let addresses = BlockAddresses(budget: budget)
        if let lease = begin(addresses, 1, blockCount: 1 << 20) {
          for block in 0..<1 << 20 as Range<UInt64> { lease.store(block, at: address(block)) }
          let known = (0..<1 << 20 as Range<UInt64>).count { lease[$0] != nil }
          #expect((known > 0) == (bytes == 1 << 20))
        }
        #expect(budget.lookupBytes <= budget.lookupLimit)
        if bytes == 1 << 20 { addresses.removeAll() }
        #expect(bytes != 1 << 20 || budget.lookupBytes == 0)
      }
      #expect(budget.lookupBytes == 0)
    }
  }

  /// Batches beside a writer that tells of some commits and not of others: an address is always that
  /// of the reader's own commit. As in the store, the writer is alone when it takes a commit over.
  @Test func threadsSeeAddressesOfTheirOwnCommitOnly() throws {
    let addresses = BlockAddresses(budget: budget, tagBits: 3)
    let gate = Gate()
    // The version of each block after each commit.
    let history = Mutex([[Int](repeating: 0, count: 50)])
    var threads = [0, 1, 2, 3]
    let problem = inThreads(&threads) { thread, _ -> String? in
      var random = SeededGenerator(seed: UInt64(thread))
      for round in 1...2000 {
        if thread == 0 {
          let changed = (0..<50).filter { _ in random.oneIn(10) }
          let isTold = !random.oneIn(4)
          if isTold { addresses.expect(UInt64(round)) }
          history.withLock { history in
            var last = history[round - 1]
            for block in changed { last[block] = round }
            history.append(last)
          }
          try? gate.exclusive {
            if isTold { addresses.advance(to: UInt64(round), changed: changed, blockCount: 50) }
          }
          continue
        }
        let wrong = try? gate.shared { () -> String? in
          let (number, versions) = history.withLock { ($0.count - 1, $0[$0.count - 1]) }
          guard let lease = begin(addresses, UInt64(number), blockCount: 50) else { return nil }
          for _ in 0..<20 {
            let block = UInt64.random(in: 0..<50, using: &random)
            let right = address(block, versions[Int(block)])
            if let found = lease[block], found != right { return "block \(block) at \(number)" }
            lease.store(block, at: right)
          }
          return nil
        }
        if let wrong = wrong ?? nil { return wrong }
      }
      return nil
    }
    #expect(problem == nil)
  }
}

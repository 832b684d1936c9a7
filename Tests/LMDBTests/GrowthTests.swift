import Glibc
import LMDB
import StorageBase
import Synchronization
import TestSupport
import Testing

@Suite struct GrowthTests {
  let directory = TemporaryDirectory()
  let tiny = 1 << 18

  @Test func aFullMapGrowsAndTheWholeBodyRunsAgain() throws {
    let environment = try open(directory.path, mapSize: tiny)
    let rows = try environment.rows()
    var runs = 0
    try environment.write { (transaction) throws(EmbeddingError) in
      runs += 1
      for key in 0..<100 {
        #expect(try transaction.get(UInt64(key), in: rows) == nil)
        try transaction.put(UInt64(key), [UInt8](repeating: 1, count: 50_000), in: rows)
      }
    }
    #expect(runs > 1)
    #expect(try environment.value(99, in: rows)?.count == 50_000)
    #expect(try environment.statistics().mapSize > 5_000_000)
  }

  @Test func aFullMapThatTheBodyPassesOverGrowsToo() throws {
    let environment = try open(directory.path, mapSize: tiny)
    let rows = try environment.rows()
    var runs = 0
    try environment.write { (transaction) throws(EmbeddingError) in
      runs += 1
      _ = code { () throws(EmbeddingError) in
        try transaction.put(1, [UInt8](repeating: 1, count: 1 << 20), in: rows)
      }
    }
    #expect(runs > 1)
    #expect(try environment.value(1, in: rows)?.count == 1 << 20)
  }

  @Test func growthStopsAtTheLimitAndTheDataIsAsBefore() throws {
    let environment = try open(directory.path, mapSize: tiny, maximumMapSize: 1 << 20)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    #expect(
      code { () throws(EmbeddingError) in
        try environment.set(2, 2, count: 2 << 20, in: rows)
      } == .mapFull)
    #expect(try environment.value(1, in: rows)?.first == 1)
    #expect(try environment.value(2, in: rows) == nil)
    try environment.set(2, 2, in: rows)
  }

  @Test func growthUnderThisThreadsOwnReadIsAnErrorNotAHang() throws {
    let environment = try open(directory.path, mapSize: tiny)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    try environment.read { (transaction) throws(EmbeddingError) in
      #expect(
        code { () throws(EmbeddingError) in
          try environment.set(2, 2, count: 1 << 20, in: rows)
        } == .mapFull)
      #expect(try transaction.get(1, in: rows)?.first == 1)
      try environment.set(3, 3, in: rows)
    }
    let owned = try environment.beginRead()
    #expect(
      code { () throws(EmbeddingError) in
        try environment.set(2, 2, count: 1 << 20, in: rows)
      } == .mapFull)
    #expect(try owned.get(3, in: rows)?.first == 3)
  }

  @Test func growthGivesUpWhenAnotherThreadsReadStays() throws {
    let environment = try open(directory.path, mapSize: tiny, growthTimeout: 1)
    let rows = try environment.rows()
    let owned = try environment.beginRead()
    inThreads(1) { _ in
      #expect(
        code { () throws(EmbeddingError) in
          try environment.set(2, 2, count: 1 << 20, in: rows)
        } == .mapFull)
    }
    #expect(try owned.get(2, in: rows) == nil)
  }

  @Test func growthWaitsForReadersAndTheySeeWholeCommits() throws {
    let environment = try open(directory.path, mapSize: tiny)
    let rows = try environment.rows()
    try environment.set(0, 0, count: 1000, in: rows)
    let shared = Shared()
    inThreads(4) { index in
      do throws(EmbeddingError) {
        if index == 0 {
          for round in 1...40 {
            try environment.write { (transaction) throws(EmbeddingError) in
              for key in 0..<UInt64(round) {
                let value = [UInt8](repeating: UInt8(round), count: 20_000)
                try transaction.put(key, value, in: rows)
              }
            }
          }
          shared.finish()
        } else {
          while !shared.isFinished {
            try environment.read { (transaction) throws(EmbeddingError) in
              let first = try transaction.get(0, in: rows)!
              for key in 0..<UInt64(first[0]) {
                let value = try transaction.get(key, in: rows)!
                #expect(value.first == first[0] && value.last == first[0])
              }
            }
          }
        }
      } catch {
        Issue.record(error)
        shared.finish()
      }
    }
    #expect(try environment.statistics().mapSize > tiny)
  }

  @Test func aReaderThatAlsoWritesIsToldWhenAnotherWriterGrows() throws {
    // One thread holds a read and wants to write; the writer wants to grow: neither may hang.
    let environment = try open(directory.path, mapSize: tiny, growthTimeout: 20)
    let rows = try environment.rows()
    inThreads(4) { index in
      for round in 0..<20 {
        let thrown = code { () throws(EmbeddingError) in
          try environment.read { (_) throws(EmbeddingError) in
            try environment.set(
              UInt64(index), UInt8(round), count: (round + 1) * 20_000, in: rows)
          }
        }
        #expect(thrown == nil || thrown == .mapFull)
      }
    }
    for index in 0..<4 { try environment.set(UInt64(index), 1, count: 1 << 20, in: rows) }
  }

  @Test func growthByAnotherProcessIsFollowed() async throws {
    let environment = try open(directory.path, mapSize: 1 << 20)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    await #expect(processExitsWith: .success) { [path = directory.path as String] in
      let environment = try open(path, mapSize: 1 << 26)
      try environment.set(2, 2, count: 20 << 20, in: environment.rows())
    }
    #expect(try environment.value(2, in: rows)?.count == 20 << 20)
    await #expect(processExitsWith: .success) { [path = directory.path as String] in
      let environment = try open(path, mapSize: 1 << 28)
      try environment.set(3, 3, count: 100 << 20, in: environment.rows())
    }
    try environment.set(4, 4, in: rows)
    #expect(try environment.value(3, in: rows)?.last == 3)
  }
}

/// A flag that threads share.
final class Shared: Sendable {
  private let finished = Atomic(false)
  var isFinished: Bool { finished.load(ordering: .relaxed) }
  func finish() { finished.store(true, ordering: .relaxed) }
}

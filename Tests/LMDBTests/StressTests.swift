import LMDB
import StorageBase
import TestSupport
import Testing

@Suite struct StressTests {
  let directory = TemporaryDirectory()

  /// Writers move units between accounts; the sum that any reader sees is always the same.
  @Test func writersTakeTurnsAndReadersSeeWholeCommits() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    let accounts = 64
    let writers = 6
    let rounds = 150
    try environment.write { (transaction) throws(EmbeddingError) in
      for key in 0..<accounts { try transaction.put(UInt64(key), [100], in: rows) }
      try transaction.put(1000, [0, 0, 0, 0], in: rows)
    }
    inThreads(writers + 4) { index in
      var random = UInt64(index + 1)
      do throws(EmbeddingError) {
        for _ in 0..<rounds {
          guard index < writers else {
            try environment.read { (transaction) throws(EmbeddingError) in
              var sum = 0
              try transaction.withCursor(rows) { (cursor) throws(EmbeddingError) in
                while let entry = try cursor.next(), entry.key < accounts {
                  sum += Int(entry.value[0])
                }
              }
              #expect(sum == accounts * 100)
            }
            continue
          }
          random = mix64(random)
          let from = random % UInt64(accounts)
          let to = (random >> 32) % UInt64(accounts)
          try environment.write { (transaction) throws(EmbeddingError) in
            let count = try transaction.get(1000, in: rows)!.loadUnaligned(as: UInt32.self)
            let taken = try transaction.get(from, in: rows)![0]
            if taken > 0 { try transaction.put(from, [taken - 1], in: rows) }
            let given = try transaction.get(to, in: rows)![0]
            if taken > 0 && given < 255 {
              try transaction.put(to, [given + 1], in: rows)
            } else if taken > 0 {
              try transaction.put(from, [taken], in: rows)
            }
            let room = try transaction.reserve(1000, count: 4, in: rows)
            room.storeBytes(of: count + 1, as: UInt32.self)
          }
        }
      } catch { Issue.record(error) }
    }
    let count = try environment.read { (transaction) throws(EmbeddingError) in
      try transaction.get(1000, in: rows)!.loadUnaligned(as: UInt32.self)
    }
    #expect(Int(count) == writers * rounds)
  }

  @Test func threadsThatComeAndGoLeaveNothingBehind() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    for round in 0..<20 {
      inThreads(8) { index in
        do throws(EmbeddingError) {
          try environment.set(UInt64(index), UInt8(round), in: rows)
          _ = try environment.value(UInt64(index), in: rows)
        } catch { Issue.record(error) }
      }
    }
    #expect(try environment.readers().count <= 9)
  }

  @Test func closeWaitsForTheClosuresOfOtherThreads() throws {
    for _ in 0..<20 {
      let environment = try open(directory.path)
      let rows = try environment.rows()
      inThreads(6) { index in
        if index == 0 { return closeNow(environment) }
        for _ in 0..<50 { use(environment, rows, isWriter: index < 3) }
      }
    }
  }
}

private func closeNow(_ environment: Environment) {
  let thrown = code { () throws(EmbeddingError) in try environment.close() }
  #expect(thrown == nil)
}

private func use(_ environment: Environment, _ rows: NamedDatabase, isWriter: Bool) {
  let thrown = code { () throws(EmbeddingError) in
    if isWriter {
      try environment.set(1, 1, in: rows)
    } else {
      _ = try environment.value(1, in: rows)
    }
  }
  #expect(thrown == nil || thrown == .closed)
}

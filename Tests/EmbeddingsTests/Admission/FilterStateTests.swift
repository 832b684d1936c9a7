import LMDB
import StorageBase
import TestSupport
import Testing

@testable import Embeddings

@Suite struct FilterStateTests {
  static let filters: [Admission] = [
    .bloomFilter(expectedIDs: 3000), .counter(threshold: 5),
    .countingBloomFilter(threshold: 4, expectedIDs: 3000),
  ]

  /// Counts 10,000 ids, each as often as its number says, in commits of the size given.
  static func store(_ admission: Admission, idsPerCommit: Int) throws -> FilterTree {
    let store = try FilterTree()
    let filter = AdmissionFilter(admission)!
    for start in stride(from: 0, to: 6000, by: idsPerCommit) {
      for id in start..<min(start + idsPerCommit, 6000) {
        filter.count(FilterCountingTests.hash(id), times: UInt32(id % 7 + 1))
        if id == 2999 { filter.growIfNeeded() }
      }
      filter.fix()
      filter.beginCommit()
      try store.commit(filter, generation: UInt64(start))
      filter.endCommit()
    }
    return store
  }

  @Test(arguments: filters) func equalStatesGiveEqualBytes(_ admission: Admission) throws {
    let small = try Self.store(admission, idsPerCommit: 50)
    let large = try Self.store(admission, idsPerCommit: 3000)
    let chunks = try small.chunks()
    #expect(chunks == (try large.chunks()))
    #expect(chunks.count > 64)
  }

  @Test(arguments: filters) func chunksGiveTheStateBack(_ admission: Admission) throws {
    let store = try Self.store(admission, idsPerCommit: 100)
    let chunks = try store.chunks()
    let contents = try #require(try store.load(admission)).contents
    #expect(try AdmissionFilter(admission, stateChunks: chunks)?.contents == contents)
    let copy = try FilterTree()
    try copy.environment.write { (transaction) throws(EmbeddingError) in
      var writer = AdmissionStateWriter(admission, generation: 7, tree: copy.tree)
      for chunk in chunks {
        try chunk.withBytes { (bytes) throws(EmbeddingError) in
          try writer.write(bytes, in: transaction)
        }
      }
      try writer.finish(in: transaction)
    }
    let loaded = try #require(try copy.load(admission))
    #expect(loaded.contents == contents)
    #expect(try copy.chunks() == chunks)
    // And goes on from there.
    loaded.count(FilterCountingTests.hash(1_000_000), times: 1)
    loaded.fix()
    loaded.beginCommit()
    try copy.commit(loaded, generation: 8)
    #expect(try copy.load(admission)?.contents == loaded.contents)
  }

  @Test(arguments: filters) func damagedChunksAreRefused(_ admission: Admission) throws {
    let chunks = try Self.store(admission, idsPerCommit: 3000).chunks()
    var generator = SeededGenerator(seed: 5)
    #expect(throws: EmbeddingError.self) {
      _ = try AdmissionFilter(admission, stateChunks: chunks.dropFirst())
    }
    if case .counter = admission {
    } else {
      #expect(throws: EmbeddingError.self) {
        _ = try AdmissionFilter(admission, stateChunks: chunks.dropLast())
      }
    }
    #expect(throws: EmbeddingError.self) {
      _ = try AdmissionFilter(admission, stateChunks: [chunks[0], chunks[2], chunks[1]])
    }
    for _ in 0..<300 {
      // Whatever is in them: an error, or another state; never a crash.
      var damaged = chunks
      let chunk = Int.random(in: 0..<chunks.count, using: &generator)
      let byte = Int.random(in: 0..<chunks[chunk].count, using: &generator)
      damaged[chunk][byte] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      if generator.oneIn(3) { damaged[chunk].removeLast(damaged[chunk].count - byte) }
      _ = try? AdmissionFilter(admission, stateChunks: damaged)
    }
    #expect(throws: EmbeddingError.self) {
      _ = try AdmissionFilter(.counter(threshold: 77), stateChunks: chunks)
    }
  }

  @Test(arguments: filters) func everyDamagedValueIsFound(_ admission: Admission) throws {
    let store = try Self.store(admission, idsPerCommit: 100)
    var generator = SeededGenerator(seed: 8)
    let values = try store.states()
    #expect(values.keys.contains { $0 > FilterFormat.recordKey })
    #expect(values.keys.contains { $0 < FilterFormat.recordKey })
    for (key, value) in values {
      for isCut in [false, true] {
        var damaged = value
        let byte = Int.random(in: 0..<value.count, using: &generator)
        if isCut { damaged.removeLast(value.count - byte) } else { damaged[byte] ^= 4 }
        try store.put(key, damaged)
        #expect(throws: EmbeddingError.self, "key \(key), byte \(byte)") {
          _ = try store.load(admission)
        }
      }
      try store.put(key, value)
    }
    #expect(throws: EmbeddingError.self) { _ = try store.load(.counter(threshold: 78)) }
  }
}

extension FilterTree {
  func put(_ key: UInt64, _ value: [UInt8]) throws {
    try environment.write { (transaction) throws(EmbeddingError) in
      try value.withBytes { (bytes) throws(EmbeddingError) in
        try transaction.put(key, bytes, in: tree)
      }
    }
  }
}

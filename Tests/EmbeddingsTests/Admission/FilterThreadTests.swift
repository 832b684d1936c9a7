import Foundation
import StorageBase
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

/// Several threads that update one table with a counting Bloom filter.
@Suite struct FilterThreadTests {
  let scratch = Scratch()
  static let threads = 4
  static let steps: ClosedRange<Int64> = 1...30

  /// So roomy that no id is taken for another one.
  private func configuration(cutoff: UInt64) -> TableConfiguration {
    var configuration = TableConfiguration(
      dimension: 2, idType: .int64, optimizer: .sgd(learningRate: 0.5))
    configuration.admission = .countingBloomFilter(
      threshold: 4, expectedIDs: 50_000, falsePositiveRate: 1e-6)
    configuration.cutoff = cutoff
    return configuration
  }

  /// The ids that one thread names in a step: some of its own, by a power law, and some that others
  /// name as well, always or once.
  private func ids(_ thread: Int, _ step: Int64) -> [Int64] {
    var random = SeededGenerator(seed: UInt64(thread) << 32 | UInt64(step))
    let own = (0..<150).map { _ in
      let draw = Double(random.float() + 1) / 2
      return Int64(draw * draw * 999) * Int64(Self.threads) + Int64(thread)
    }
    let always = Int64(1_000_000)..<1_000_020
    let once = 2_000_000 + step * 10..<2_000_000 + step * 10 + 10
    return own + always + (thread == 0 ? Array(once) : [])
  }

  private func train(_ table: EmbeddingTable, _ thread: Int, _ step: Int64) throws(EmbeddingError) {
    let ids = ids(thread, step)
    try table.update(
      IDColumn(ids), gradients: [Float](repeating: 1, count: 2 * ids.count), step: step)
  }

  /// All ids that are named, with how often.
  private var sightings: [Int64: UInt64] {
    var sightings: [Int64: UInt64] = [:]
    for thread in 0..<Self.threads {
      for step in Self.steps {
        for id in ids(thread, step) { sightings[id, default: 0] += 1 }
      }
    }
    return sightings
  }

  @Test(arguments: [0, 9] as [UInt64])
  func threadsComeToWhatOneComesTo(cutoff: UInt64) throws {
    let database = try scratch.open()
    let serial = try database.table("serial", configuration(cutoff: cutoff))
    for step in Self.steps {
      for thread in 0..<Self.threads { try train(serial, thread, step) }
    }
    let parallel = try database.table("parallel", configuration(cutoff: cutoff))
    let failures = Failures()
    DispatchQueue.concurrentPerform(iterations: Self.threads) { thread in
      for step in Self.steps {
        do throws(EmbeddingError) {
          try train(parallel, thread, step)
          if thread == 0, step % 7 == 0 { try database.commit() }
        } catch { failures.note(error) }
      }
    }
    #expect(failures.isEmpty)
    let (one, other) = [serial, parallel].map { $0.core.admission!.life(in: $0.cache) }.pair
    #expect(one.admitted == other.admitted && one.promoted == other.promoted)
    #expect(one.onProbation == other.onProbation && other.forgotten == 0)
    #expect(try serial.count == parallel.count)
    let sightings = sightings
    #expect(one.admitted == UInt64(sightings.values.count { $0 >= 4 }))
    let filters = try [serial, parallel].map {
      try #require(try $0.core.admission!.filter(in: database.environment))
    }
    for (id, count) in sightings {
      let hash = RowKey.hash(UInt64(bitPattern: id))
      #expect(filters[0].sightings(hash) == UInt32(min(count, 4)))
      #expect(filters[1].sightings(hash) == UInt32(min(count, 4)))
      let rows = try [serial, parallel].map { try $0.metadata(of: .int64(id)).frequency }
      // What another thread sees of an id while this one admits it is counted by the filter alone.
      if id >= 1_000_000, id < 2_000_000 {
        #expect(rows[0] == count && rows[1] <= count && rows[1] + UInt64(Self.threads) >= count)
      } else {
        #expect(rows[0] == rows[1] && rows[0] == (count >= 4 ? count : 0), "id \(id)")
      }
    }
    try database.commit(step: Self.steps.upperBound)
    #expect(try database.verify().isIntact)
  }
}

private final class Failures: Sendable {
  private let errors = Mutex<[EmbeddingError]>([])

  func note(_ error: EmbeddingError) { errors.withLock { $0.append(error) } }

  var isEmpty: Bool { errors.withLock { $0.isEmpty } }
}

extension Array {
  fileprivate var pair: (Element, Element) { (self[0], self[1]) }
}

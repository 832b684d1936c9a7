import StorageBase
import TestSupport
import Testing

@testable import Embeddings

@Suite struct RowIndexTests {
  /// Slots come and go in an index that is as full as it may be; a dictionary says which are there.
  @Test(arguments: [1, 2, 7, 100]) func everySlotIsFoundUntilItLeaves(bucketCount: Int) {
    let index = RowIndex(bucketCount: bucketCount)
    defer { index.free() }
    var random = SeededGenerator(seed: UInt64(bucketCount))
    var hashes: [Int: UInt64] = [:]
    for _ in 0..<20_000 {
      let slot = Int.random(in: 0..<RowIndex.capacity(bucketCount), using: &random)
      if let hash = hashes[slot] {
        #expect(index.find(hash) { $0 == slot } == slot)
        #expect(index.candidate(hash) >= 0)
        index.leave(slot, hash: hash)
        hashes[slot] = nil
        #expect(index.find(hash) { $0 == slot } == -1)
      } else {
        // Few different hashes, so that many share a bucket and a tag.
        let hash = mix64(UInt64.random(in: 0..<40, using: &random))
        hashes[slot] = hash
        index.enter(slot, hash: hash)
      }
    }
    for (slot, hash) in hashes { #expect(index.find(hash) { $0 == slot } == slot) }
    #expect(index.find(mix64(1000)) { _ in false } == -1)
  }

  @Test func theKeyOfAHashIsFoundAgain() {
    for key in [0, 1, 77, .max, 0x8000_0000_0000_0000] as [UInt64] {
      #expect(RowKey.key(ofHash: RowKey.hash(key)) == key)
    }
    var random = SeededGenerator(seed: 3)
    for _ in 0..<1000 {
      let value = random.next()
      #expect(unmix64(mix64(value)) == value && mix64(unmix64(value)) == value)
    }
  }

  @Test func aCachedRowTakesAtMost32BytesBesideItsFloats() {
    // Just after the index grew by a third it is least full.
    for slots in [1 << 12, 1 << 16, 1 << 20] {
      var buckets = 1
      while RowIndex.capacity(buckets) < slots { buckets = buckets + buckets / 3 + 1 }
      let bytes = Double(RowIndex.bytes(buckets)) / Double(slots)
      #expect(bytes <= 8.1 && MemoryLayout<RowHeader>.stride == 24)
    }
  }
}

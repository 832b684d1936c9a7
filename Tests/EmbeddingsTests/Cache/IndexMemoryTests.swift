import Testing

@testable import Embeddings

@Suite struct IndexMemoryTests {
  @Test func indexesDoNotOverlapAndTheirRegionsAreUsedAgain() {
    let pool = RegionPool()
    let memory = IndexMemory(limit: 1 << 30, pool: pool)
    for bytes in [64, 16 << 10, 90 << 10, 300 << 10, 3 << 20] {
      var taken: [UnsafeMutableRawPointer] = []
      for number in 0..<40 {
        let start = memory.take(bytes)
        #expect(UInt(bitPattern: start) % 64 == 0)
        start.initializeMemory(as: UInt8.self, repeating: UInt8(number), count: bytes)
        taken.append(start)
      }
      for (number, start) in taken.enumerated() {
        let whole = UnsafeRawBufferPointer(start: start, count: bytes)
        #expect(whole.allSatisfy { $0 == UInt8(number) })
      }
      // In an order of their own, as shards outgrow them.
      for k in 0..<40 { memory.giveBack(taken[k * 7 % 40], bytes) }
    }
    #expect(memory.regionCount == 0)
  }

  @Test func aSmallCacheHasNoRegions() {
    let memory = IndexMemory(limit: 32 << 20, pool: RegionPool())
    let start = memory.take(90 << 10)
    #expect(memory.regionCount == 0)
    memory.giveBack(start, 90 << 10)
  }
}

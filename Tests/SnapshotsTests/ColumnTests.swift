import CKernels
import CZstd
import Foundation
import StorageBase
import TestSupport
import Testing

@testable import Snapshots

/// The pieces that blocks are made of.
@Suite struct ColumnTests {
  @Test(arguments: [0, 1, 15, 16, 17, 1_000, 4_099], [1, 2, 4, 8])
  func planesHoldTheBytesOfAllElements(count: Int, width: Int) {
    var random = SeededGenerator(seed: UInt64(count))
    let elements = (0..<count * width).map { _ in UInt8.random(in: 0...255, using: &random) }
    var planes = [UInt8](repeating: 0, count: elements.count + 1)
    var back = planes
    ck_split_planes(elements + [0], count, width, &planes)
    #expect(
      planes.dropLast().elementsEqual(
        (0..<width).flatMap { p in
          (0..<count).map { elements[$0 * width + p] }
        }))
    ck_join_planes(planes, count, width, &back)
    #expect(back.dropLast() == elements[...])
  }

  @Test func halvesAreTheNearestToTheirFloats() {
    let all = (0...UInt16.max).map { $0 }
    var floats = [Float](repeating: 0, count: all.count)
    ck_floats_of_halves(all, all.count, &floats)
    var random = SeededGenerator(seed: 9)
    for i in all.indices {
      let expected = Float(Float16(bitPattern: all[i]))
      #expect(floats[i] == expected || floats[i].isNaN && expected.isNaN)
    }
    let some = (0..<40_001).map { _ in Float(bitPattern: UInt32(random.next() >> 32)) } + floats
    var halves = [UInt16](repeating: 0, count: some.count)
    ck_halves_of_floats(some, some.count, &halves)
    for i in some.indices {
      let (half, expected) = (Float16(bitPattern: halves[i]), Float16(some[i]))
      #expect(half.bitPattern == expected.bitPattern || half.isNaN && expected.isNaN)
    }
  }

  @Test func filtersKnowTheirKeysAndFewOthers() {
    var random = SeededGenerator(seed: 1)
    for count in [1, 100, 32_768] {
      let keys = (0..<count).map { _ in random.next() }
      let filter = KeyFilter(keys)
      #expect(keys.allSatisfy { filter.mayContain($0) })
      #expect(KeyFilter(words: filter.words).mayContain(keys[0]))
      let passed = (0..<20_000).filter { _ in filter.mayContain(random.next()) }.count
      #expect(passed < 400, "\(count) keys: \(passed) of 20,000 pass")
    }
    // Keys in a row, too: ids often are.
    let row = KeyFilter((0..<32_768).map { IDKeys.key($0) })
    let passed = (100_000..<120_000).filter { row.mayContain(IDKeys.key($0)) }.count
    #expect(passed < 400)
  }

  @Test func integersTakeNoMoreBytesThanTheirSpreadNeeds() {
    for (values, width) in [
      ([7, 7, 7], 0), ([0, 255], 1), ([1, 256], 1), ([0, 256], 2), ([5, .max], 8), ([0, .max], 8),
    ] as [([UInt64], UInt8)] {
      values.withUnsafeBufferPointer { values in
        let column = IntegerColumn.measure(values)
        #expect(column.width == width)
        let memory = Scratch()
        let bytes = memory.take(Int(width) * values.count)
        IntegerColumn.split(values, column, to: bytes)
        for i in 0..<values.count {
          let back = IntegerColumn.value(UnsafeRawBufferPointer(bytes), column, i, of: values.count)
          #expect(back == values[i])
        }
      }
    }
  }

  @Test func noiseIsToldFromWhatCompresses() {
    var random = SeededGenerator(seed: 2)
    let noise = (0..<65_536).map { _ in UInt8.random(in: 0...255, using: &random) }
    #expect(noise.withUnsafeBytes { ByteSample.looksRandom($0) })
    let biased = noise.map { $0 < 40 ? $0 / 2 : $0 }
    #expect(!biased.withUnsafeBytes { ByteSample.looksRandom($0) })
    let constant = [UInt8](repeating: 9, count: 65_536)
    #expect(!constant.withUnsafeBytes { ByteSample.looksRandom($0) })
  }

  @Test(arguments: [1, 100, 131_071, 131_072, 131_073, 400_000])
  func rawFramesAreFramesOfZstandard(count: Int) throws {
    var random = SeededGenerator(seed: 3)
    let content = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    var frame = [UInt8](repeating: 0, count: RawFrame.length(count))
    let length = content.withUnsafeBytes { content in
      frame.withUnsafeMutableBytes { RawFrame.write(content, to: $0) }
    }
    #expect(length == frame.count)
    var back = [UInt8](repeating: 0, count: count)
    #expect(ZSTD_decompress(&back, count, frame, frame.count) == count)
    #expect(back == content)
    #expect(try decompress(frame, count) == content)
    for position in 0..<9 {
      var damaged = frame
      damaged[position] ^= 4
      #expect(throws: EmbeddingError.self) { try decompress(damaged, count) }
    }
  }

  @Test func framesThatClaimOtherSizesAreRefusedBeforeTheyAreOpened() throws {
    let content = [UInt8](repeating: 5, count: 1_000)
    let frame = compressed(content)
    #expect(try decompress(frame, 1_000) == content)
    #expect(throws: EmbeddingError.self) { try decompress(frame, 999) }
    #expect(throws: EmbeddingError.self) { try decompress(frame, 1_001) }
    #expect(throws: EmbeddingError.self) { try decompress(frame + [0], 1_000) }
    #expect(throws: EmbeddingError.self) { try decompress(frame + frame, 1_000) }
    #expect(throws: EmbeddingError.self) { try decompress(frame.dropLast(), 1_000) }
    #expect(throws: EmbeddingError.self) { try decompress([], 1_000) }
    let skippable: [UInt8] = [0x5F, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]
    #expect(throws: EmbeddingError.self) { try decompress(skippable + frame, 1_000) }
    #expect(throws: EmbeddingError.self) { try decompress(skippable, 0) }
    // A content size of 2^60 and an empty block.
    let boastful: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0]
    #expect(throws: EmbeddingError.self) { try decompress(boastful, 1_000) }
    // A flipped bit in the content is found by the frame's own checksum, too.
    var damaged = frame
    damaged[damaged.count - 6] ^= 1
    #expect(throws: EmbeddingError.self) { try decompress(damaged, 1_000) }
  }

  private func compressed(_ content: [UInt8]) -> [UInt8] {
    let output = Scratch()
    let part = content.withUnsafeBytes { Compressor().append($0, to: output) }
    #expect(Int(part.length) == output.count)
    return Array(output.bytes)
  }

  private func decompress(_ frame: some Sequence<UInt8>, _ count: Int) throws -> [UInt8] {
    var content = [UInt8](repeating: 0, count: count)
    let decompressor = Decompressor()
    try Array(frame).withUnsafeBytes { frame in
      try content.withUnsafeMutableBytes { content in
        try decompressor.decompress(frame, into: content, at: Place("memory", 0, "frame"))
      }
    }
    return content
  }
}

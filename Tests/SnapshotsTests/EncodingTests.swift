import Foundation
import Snapshots
import StorageBase
import TestSupport
import Testing

@Suite struct EncodingTests {
  private let directory = TemporaryDirectory()
  private var path: String { directory.path + "/encoded.snapshot" }

  /// The vectors of rows of `dimension` values, written and read back.
  private func through(
    _ values: [Float], dimension: Int = 1, _ encoding: ValueEncoding
  ) throws -> [Float] {
    let description = SnapshotDescription.sample(
      dimension: dimension, slotCount: 0, encoding: encoding)
    var rows = RowBatch(idType: .int64, dimension: dimension)
    for i in 0..<values.count / dimension { rows.ids.append(Int64(i)) }
    rows.vectors = values
    _ = try write(rows, description, to: path)
    return try readAll(try SnapshotReader(path: path)).vectors
  }

  private let patterns: [UInt32] =
    [
      0, 0x8000_0000, 1, 0x807F_FFFF, 0x0080_0000, 0x7F7F_FFFF, 0x7F80_0000, 0xFF80_0000,
      0x7FC0_0001, 0x7F80_0001, 0xFFFF_FFFF,
    ] + (0..<2_000).map { UInt32($0) &* 2_146_121_005 }

  @Test func float32KeepsEveryBit() throws {
    let back = try through(patterns.map { Float(bitPattern: $0) }, .float32)
    #expect(back.map(\.bitPattern) == patterns)
  }

  @Test func float16IsTheNearest() throws {
    let values = (0..<UInt32(0x10000)).map { Float(Float16(bitPattern: UInt16($0))) }
    let back = try through(values, .float16)
    #expect(zip(values, back).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN })
    var random = SeededGenerator(seed: 3)
    let others =
      (0..<5_000).map { _ in random.float() * Float.random(in: 0...100, using: &random) }
      + [65_504, 65_519, -65_519, 1e-7, 3e-8, 2.9e-8, .infinity]
    #expect(try through(others, .float16) == others.map { Float(Float16($0)) })
  }

  @Test func bfloat16IsTheNearest() throws {
    let values: [Float] = [1, 1.00390625, 1.01171875, -1.00391, 3.0e38, -0.0, .infinity]
    let expected: [Float] = [1, 1, 1.015625, -1.0078125, 3.004e38, -0.0, .infinity]
    let back = try through(values, .bfloat16)
    for (a, b) in zip(back, expected) { #expect(a == b || abs(a - b) <= abs(b) / 256) }
    #expect(back[0..<4] == expected[0..<4])
    let exact = (0..<UInt32(0x10000)).map { Float(bitPattern: $0 << 16) }
    let same = try through(exact, .bfloat16)
    #expect(zip(exact, same).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN })
  }

  @Test func int8IsWithinHalfAStepAndStaysAsItIs() throws {
    var random = SeededGenerator(seed: 4)
    var values: [Float] = []
    for row in 0..<500 {
      let size = Float.random(in: 0.001...1, using: &random) * (row % 2 == 0 ? 1e-20 : 1e20)
      values += (0..<16).map { _ in random.float() * size }
    }
    values +=
      [Float](repeating: 0, count: 16) + [Float](repeating: .leastNonzeroMagnitude, count: 16)
    let back = try through(values, dimension: 16, .int8)
    for row in 0..<500 {
      let range = row * 16..<(row + 1) * 16
      let largest = values[range].map { abs($0) }.max()!
      for i in range { #expect(abs(values[i] - back[i]) <= largest / 127 * 0.5001) }
    }
    #expect(back.suffix(32).allSatisfy { $0 == 0 })
    let again = try through(back, dimension: 16, .int8)
    #expect(again.map(\.bitPattern) == back.map(\.bitPattern))
  }

  @Test(arguments: [
    (ValueEncoding.float16, Float(65_520)), (.float16, -1e30), (.bfloat16, 3.3961776e38),
    (.int8, .greatestFiniteMagnitude), (.int8, .infinity), (.int8, .nan),
  ])
  func valuesThatTheEncodingCannotHoldAreRefused(encoding: ValueEncoding, value: Float) throws {
    let error = #expect(throws: EmbeddingError.self) {
      try through([0, 1, 2, value], dimension: 2, encoding)
    }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("id 1") == true)
    #expect(error?.message.contains("\(encoding)") == true)
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func lossyEncodingsAreSmallerAndSaySo() throws {
    var sizes: [UInt64] = []
    for encoding in ValueEncoding.allCases {
      let description = SnapshotDescription.sample(
        dimension: 64, slotCount: 0, encoding: encoding)
      #expect(description.isLossy == (encoding != .float32))
      sizes.append(
        try write(SampleRows(description, count: 3_000).rows, description, to: path).byteCount)
    }
    #expect(sizes[1] < sizes[0] && sizes[2] < sizes[1] && sizes[3] < sizes[2], "\(sizes)")
  }
}

import Foundation
import Snapshots
import StorageBase
import TestSupport
import Testing

@Suite struct RoundTripTests {
  private let directory = TemporaryDirectory()
  private var path: String { directory.path + "/words.snapshot" }

  @Test(arguments: [IDType.int64, .bytes], [1, 2, 63, 5_000, 50_000])
  func rowsReadBackAsTheyWereWritten(idType: IDType, count: Int) throws {
    let description = SnapshotDescription.sample(idType)
    let sample = SampleRows(description, count: count)
    let summary = try write(sample.rows, description, to: path, threads: 2)
    let reader = try SnapshotReader(path: path)
    #expect(reader.description == description)
    #expect(reader.rowCount == UInt64(count))
    #expect(summary.rowCount == reader.rowCount && summary.byteCount == reader.byteCount)
    #expect(summary.checksum == reader.checksum)
    #expect(same(try readAll(reader, threads: 1), sample.rows))
    #expect(same(try readAll(reader, threads: 3), sample.rows))
    let metadata = try readAll(reader, columns: .metadata)
    #expect(metadata.ids == sample.rows.ids && metadata.vectors.isEmpty && metadata.slots.isEmpty)
    let vectors = try readAll(reader, columns: .vectors)
    #expect(vectors.vectors == sample.rows.vectors && vectors.slots.isEmpty)
  }

  @Test(arguments: [IDType.int64, .bytes])
  func lookupsFindWhatIsThereAndNothingElse(idType: IDType) throws {
    let description = SnapshotDescription.sample(idType)
    let sample = SampleRows(description, count: 30_000)
    _ = try write(sample.rows, description, to: path)
    let reader = try SnapshotReader(path: path)
    var random = SeededGenerator(seed: 5)
    let present = Dictionary(uniqueKeysWithValues: sample.ids.enumerated().map { ($1, $0) })
    var wanted: [EmbeddingID] = []
    for _ in 0..<4_000 {
      wanted.append(sample.ids.randomElement(using: &random)!)
      let number = Int64.random(in: -60_000_000...60_000_000, using: &random)
      wanted.append(idType == .int64 ? .int64(number) : EmbeddingID("\(number)"))
    }
    let column = IDColumn(wanted, type: idType)
    var seen: Set<Int> = []
    let count = try reader.lookup(column.batch, columns: .all) { (position, row) in
      seen.insert(position)
      guard let index = present[wanted[position]] else {
        Issue.record("found \(wanted[position])")
        return
      }
      #expect(row.ordinal == UInt64(index) && row.id == wanted[position])
      #expect(row.frequency == sample.rows.frequencies[index])
      #expect(row.lastStep == sample.rows.lastSteps[index])
      let expected = sample.rows.vectors[index * 8..<(index + 1) * 8]
      #expect((0..<8).allSatisfy { row.vector[$0] == expected[index * 8 + $0] })
      #expect((0..<8).allSatisfy { row.slots[$0] == sample.rows.slots[index * 8 + $0] })
    }
    #expect(seen == Set(wanted.indices.filter { present[wanted[$0]] != nil }))
    #expect(count == seen.count)
  }

  @Test func rowsAreFoundByTheirPosition() throws {
    let description = SnapshotDescription.sample(.bytes)
    let sample = SampleRows(description, count: 20_000)
    _ = try write(sample.rows, description, to: path)
    let reader = try SnapshotReader(path: path)
    let ordinals: [UInt64] = [19_999, 0, 5, 5, 8_191, 8_192, 12_345]
    var found: [Int: EmbeddingID] = [:]
    try reader.rows(at: ordinals.span) { (position, row) in
      #expect(row.ordinal == ordinals[position])
      found[position] = row.id
    }
    #expect(found.count == ordinals.count)
    for (position, id) in found { #expect(id == sample.ids[Int(ordinals[position])]) }
    #expect(throws: EmbeddingError.self) {
      try reader.rows(at: ([20_000] as [UInt64]).span) { (_, _) in }
    }
  }

  @Test(arguments: [IDType.int64, .bytes])
  func theBytesDependOnTheRowsAlone(idType: IDType) throws {
    let description = SnapshotDescription.sample(idType)
    let sample = SampleRows(description, count: 40_000)
    _ = try write(sample.rows, description, to: path, threads: 1)
    let expected = try Data(contentsOf: URL(filePath: path))
    for (threads, step) in [(2, 777), (3, 8_192), (5, 40_000)] {
      let writer = try SnapshotWriter(
        path: path, description: description, options: SnapshotWriterOptions(threads: threads))
      for start in stride(from: 0, to: 40_000, by: step) {
        try writer.append(slice(sample.rows, start..<min(40_000, start + step)))
      }
      try writer.finish()
      #expect(try Data(contentsOf: URL(filePath: path)) == expected)
    }
    let rows = sample.rows
    let writer = try SnapshotWriter(
      path: path, description: description, options: SnapshotWriterOptions(threads: 3))
    try writer.append(slice(rows, 0..<100))
    try writer.append(count: 39_900) { (range, batch) in
      batch = rows.part(range.lowerBound + 100..<range.upperBound + 100)
    }
    try writer.finish()
    #expect(try Data(contentsOf: URL(filePath: path)) == expected)
  }

  @Test func anEmptySnapshotIsOne() throws {
    let writer = try SnapshotWriter(path: path, description: .sample())
    try writer.finish()
    let reader = try SnapshotReader(path: path)
    #expect(reader.rowCount == 0)
    #expect(try readAll(reader).count == 0)
    #expect(try reader.lookup(IDColumn([1, 2]).batch) { (_, _) in } == 0)
  }

  private func slice(_ rows: RowBatch, _ range: Range<Int>) -> RowBatch { rows.part(range) }
}

extension RowBatch {
  func part(_ range: Range<Int>) -> RowBatch {
    var part = RowBatch(idType: ids.type, dimension: dimension, slotCount: slotCount)
    for i in range { part.ids.append(ids[i]) }
    part.vectors = Array(vectors[range.lowerBound * dimension..<range.upperBound * dimension])
    part.slots = Array(slots[range.lowerBound * slotCount..<range.upperBound * slotCount])
    part.frequencies = Array(frequencies[range])
    part.lastSteps = Array(lastSteps[range])
    return part
  }
}

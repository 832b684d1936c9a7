import Embeddings
import Foundation
import TestSupport
import Testing

@Suite struct HistogramTests {
  let directory = TemporaryDirectory()

  @Test func histogramsCountEveryRowOnce() throws {
    let database = try openDatabase(directory.path)
    let table = try database.plainTable("t", 3, .int64)
    let count = 1000
    try table.assign(
      (0..<Int64(count)).map { $0 }, vectors: (0..<count).map { [Float($0), 0, 0] })
    // Id i is seen i % 9 times.
    for seen in 1..<9 {
      try table.addFrequency(IDColumn((0..<Int64(count)).filter { $0 % 9 >= seen }).batch)
    }
    try database.commit(step: 1)
    let histograms = try table.histograms(normBins: 10)
    #expect(histograms.rows == count && histograms.nonFiniteRows == 0)

    let frequencies = (0..<count).map { $0 % 9 }
    #expect(histograms.frequencies.map(\.range) == [0...0, 1...1, 2...3, 4...7, 8...15])
    for bin in histograms.frequencies {
      #expect(bin.count == frequencies.count { bin.range.contains(UInt64($0)) })
    }
    #expect(histograms.frequency.minimum == 0 && histograms.frequency.maximum == 8)
    let mean = Double(frequencies.reduce(0, +)) / Double(count)
    #expect(abs(histograms.frequency.mean - mean) < 1e-9)

    #expect(histograms.norms.count == 10)
    #expect(histograms.norms.map(\.count).reduce(0, +) == count)
    #expect(histograms.norms.allSatisfy { (99...101).contains($0.count) })
    #expect(histograms.norm.minimum == 0 && histograms.norm.maximum == 999)
    #expect(abs(histograms.norm.mean - 499.5) < 1e-9)
    #expect(histograms.norms.first?.lower == 0 && histograms.norms.last?.upper == 999)
  }

  @Test func emptyTableAndEqualNormsHaveNoWidth() throws {
    let database = try openDatabase(directory.path)
    let table = try database.plainTable("t", 2, .int64)
    #expect(try table.histograms().norms.isEmpty)
    try table.assign([1, 2], vectors: [[3, 4], [4, 3]])
    try database.commit(step: 1)
    let histograms = try table.histograms()
    #expect(histograms.norms.map(\.count) == [2])
    #expect(histograms.norms[0].lower == 5 && histograms.norms[0].upper == 5)
    #expect(histograms.frequencies.map(\.count) == [2])
    #expect(thrownError { _ = try table.histograms(normBins: 0) }?.code == .invalidArgument)
  }

  @Test func aSnapshotHasTheHistogramsOfItsTable() throws {
    let database = try openDatabase(directory.path)
    let table = try database.plainTable("t", 3, .int64)
    let file = directory.path + "/x.embsnap"
    try table.exportSnapshot(file)
    #expect(try SnapshotStore(file).histograms() == table.histograms())
    try table.assign(
      (0..<5000).map { Int64($0) }, vectors: (0..<5000).map { [Float($0), 1, -2] })
    try table.addFrequency(IDColumn((0..<999).map { Int64($0) }).batch)
    try database.commit(step: 1)
    try table.exportSnapshot(file)
    let store = try SnapshotStore(file)
    let (found, expected) = (try store.histograms(normBins: 7), try table.histograms(normBins: 7))
    #expect(found.frequencies == expected.frequencies && found.norms == expected.norms)
    #expect(found.norm.maximum == expected.norm.maximum)
    // Sums are rounded in another order.
    #expect(abs(found.norm.mean - expected.norm.mean) < 1e-6)
    #expect(thrownError { _ = try store.histograms(normBins: 0) }?.code == .invalidArgument)
  }

  @Test func damagedBlockStopsTheHistogram() throws {
    let database = try openDatabase(directory.path)
    let table = try database.plainTable("t", 2, .int64)
    try table.assign([1, 2], vectors: [[3, 4], [4, 3]])
    try database.commit(step: 1)
    try damageBlock(0, of: table)
    #expect(thrownError { _ = try table.histograms() }?.code == .corruption)
    #expect(thrownError { _ = try table.nearest(to: [1, 1]) }?.code == .corruption)
  }
}

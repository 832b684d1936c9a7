import Foundation
import StorageBase
import TestSupport
import Testing

@testable import Snapshots

/// Single vectors by way of the memory map and the pages of compressed planes.
@Suite struct RowLookupTests {
  let directory = TemporaryDirectory()

  static let encodings: [ValueEncoding] = [.float32, .float16, .bfloat16, .int8]

  /// `count` rows whose exponents compress and whose lower bits do not.
  private func write(
    _ name: String, _ encoding: ValueEncoding = .float32, idType: IDType = .int64,
    dimension: Int = 64, count: Int = 700
  ) throws -> String {
    let description = SnapshotDescription(
      identity: SnapshotIdentity(high: 1, low: 2), table: "t", idType: idType,
      dimension: dimension, initializer: "constant",
      initializerParameters: [Hyperparameter(name: "value", value: 0)], optimizer: "sgd",
      learningRate: 1, encoding: encoding, point: CommitPoint(step: 1), generation: 1)
    var random = SeededGenerator(seed: UInt64(dimension))
    var rows = RowBatch(idType: idType, dimension: dimension)
    var ids = IDColumn(type: idType)
    for i in 0..<count {
      if idType == .int64 { ids.append(Int64(i * 3 - 500)) } else { ids.append("id \(i)") }
    }
    let keys = IDKeys.keys(ids)
    for i in keys.indices.sorted(by: { keys[$0] < keys[$1] }) { rows.ids.append(ids[i]) }
    rows.vectors = random.floats(count * dimension).map { 0.05 * $0 }
    rows.frequencies = (0..<count).map { UInt64($0) }
    rows.lastSteps = (0..<count).map { Int64($0) }
    let path = directory.path + "/" + name
    let writer = try SnapshotWriter(path: path, description: description)
    try writer.append(rows)
    try writer.finish()
    return path
  }

  private func all(_ path: String) throws -> (ids: IDColumn, vectors: [Float]) {
    let reader = try SnapshotReader(path: path)
    var (ids, vectors) = (IDColumn(type: reader.description.idType), [Float]())
    try reader.forEachBatch(columns: .vectors, threads: 1) { (rows, _) in
      for i in 0..<rows.count { ids.append(rows.ids[i]) }
      vectors += rows.vectors
    }
    return (ids, vectors)
  }

  private func copy(
    _ reader: SnapshotReader, _ ids: IDColumn
  ) throws -> (vectors: [Float], isFound: [Bool]) {
    var isFound = [Bool](repeating: false, count: ids.count)
    let memory = UnsafeMutablePointer<Float>.allocate(
      capacity: ids.count * reader.description.dimension)
    defer { memory.deallocate() }
    memory.initialize(repeating: -7, count: ids.count * reader.description.dimension)
    try reader.copyVectors(ids.batch, to: memory, isFound: &isFound)
    let count = ids.count * reader.description.dimension
    return (Array(UnsafeBufferPointer(start: memory, count: count)), isFound)
  }

  @Test(arguments: encodings, [IDType.int64, .bytes])
  func rowsAreThoseOfTheBlocks(encoding: ValueEncoding, idType: IDType) throws {
    for (dimension, count) in [(1, 5000), (3, 900), (64, 1100), (3000, 40)] {
      let path = try write(
        "\(dimension)", encoding, idType: idType, dimension: dimension, count: count)
      let (ids, vectors) = try all(path)
      #expect(SnapshotReader.verify(path: path).isIntact)
      for budget in [0, 10_000, 64 << 20] {
        let reader = try SnapshotReader(
          path: path, options: SnapshotReaderOptions(cacheBudget: budget))
        // Twice, in another order, with repetitions and an absent id.
        var asked = IDColumn(type: idType)
        var rows: [Int?] = []
        for i in 0..<count {
          let row = (i * 7919) % count
          asked.append(ids[row])
          rows.append(row)
        }
        if idType == .int64 { asked.append(Int64.max) } else { asked.append("absent") }
        asked.append(ids[0])
        rows += [nil, 0]
        for _ in 0..<2 {
          let found = try copy(reader, asked)
          #expect(found.isFound == rows.map { $0 != nil })
          var expected: [Float] = []
          for row in rows {
            guard let row else {
              expected += [Float](repeating: -7, count: dimension)
              continue
            }
            expected += vectors[row * dimension..<(row + 1) * dimension]
          }
          #expect(found.vectors == expected, "dimension \(dimension), budget \(budget)")
        }
      }
    }
  }

  @Test func compressedPlanesOfVectorsHavePages() throws {
    let path = try write("x")
    let reader = try SnapshotReader(path: path)
    let page = try reader.page(0, of: reader.rows)
    let layout = BlockLayout(.rows, reader.description)
    let header = try reader.loadHeader(0, of: page, 0, layout)
    let bytes = try [UInt8](Data(contentsOf: URL(filePath: path)))
    let last = layout.partCount - 1
    let start = Int(page.offsets[0]) + layout.headerLength + header.payloadLength(ofFirst: last)
    let part = Array(bytes[start..<start + Int(header.parts[last].length)])
    let frames = try part.withUnsafeBytes {
      try PlanePages.frames(
        $0, contentLength: header.contentLength(last, layout), pageLength: 2048,
        at: Place(path, 0, "part"))
    }
    #expect(layout.vectorPageLength == 2048)
    #expect(frames.count == (700 * 64 + 2047) / 2048)
    #expect(part.count < 700 * 64 / 2)
    #expect(header.parts[last - 2].length > 700 * 64)
  }

  @Test(arguments: encodings)
  func damageIsFoundBeforeARowIsGivenOut(encoding: ValueEncoding) throws {
    let path = try write("x", encoding, dimension: 16, count: 300)
    let (ids, vectors) = try all(path)
    let whole = try Data(contentsOf: URL(filePath: path))
    let damaged = directory.path + "/y"
    for i in stride(from: 0, to: whole.count, by: 61) {
      var bytes = whole
      bytes[i] ^= 1 << (i % 8)
      try bytes.write(to: URL(filePath: damaged))
      do {
        let found = try copy(try SnapshotReader(path: damaged), ids)
        #expect(found.vectors == vectors, "byte \(i)")
      } catch let error as EmbeddingError {
        #expect(error.code == .corruption || error.code == .unsupportedFormat, "byte \(i)")
      }
    }
  }
}

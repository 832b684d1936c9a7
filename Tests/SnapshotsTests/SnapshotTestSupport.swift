import Snapshots
import StorageBase
import TestSupport

/// Rows that follow from a seed, in key order.
struct SampleRows {
  var ids: [EmbeddingID]
  var rows: RowBatch

  init(
    _ description: SnapshotDescription, count: Int, seed: UInt64 = 1, idLength: Int = 12
  ) {
    var random = SeededGenerator(seed: seed)
    var column = IDColumn(type: description.idType)
    switch description.idType {
    case .int64:
      var numbers = Set<Int64>()
      while numbers.count < count {
        numbers.insert(Int64.random(in: -50_000_000...50_000_000, using: &random))
      }
      ids = numbers.sorted().map { .int64($0) }
    case .bytes:
      var words = Set<[UInt8]>()
      while words.count < count {
        let length = Int.random(in: 1...idLength, using: &random)
        words.insert((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) })
      }
      ids = words.map { EmbeddingID.bytes($0) }.sorted { SnapshotOrder.precedes($0, $1) }
    }
    for id in ids { column.append(id) }
    rows = RowBatch(
      idType: description.idType, dimension: description.dimension,
      slotCount: description.storedSlotCount)
    rows.ids = column
    rows.vectors = (0..<count * description.dimension).map { _ in random.float() * random.float() }
    rows.slots = (0..<count * description.storedSlotCount).map { _ in 0.1 + abs(random.float()) }
    rows.frequencies = (0..<count).map { _ in UInt64.random(in: 1...900, using: &random) }
    rows.lastSteps = (0..<count).map { _ in Int64.random(in: 0...100_000, using: &random) }
  }
}

/// The order of ids in a snapshot, spelt out a second time.
enum SnapshotOrder {
  static func precedes(_ a: EmbeddingID, _ b: EmbeddingID) -> Bool {
    switch (a, b) {
    case (.int64(let a), .int64(let b)): return a < b
    case (.bytes(let a), .bytes(let b)):
      let (first, second) = (a.withUnsafeBytes { xxh3($0) }, b.withUnsafeBytes { xxh3($0) })
      return first != second ? first < second : a.lexicographicallyPrecedes(b)
    default: fatalError("ids of two types")
    }
  }
}

extension SnapshotDescription {
  static func sample(
    _ idType: IDType = .int64, dimension: Int = 8, slotCount: Int = 8,
    encoding: ValueEncoding = .float32, includesSlots: Bool = true, number: UInt64 = 1
  ) -> SnapshotDescription {
    SnapshotDescription(
      identity: SnapshotIdentity(high: 0x0123_4567_89AB_CDEF, low: number), table: "words",
      idType: idType, dimension: dimension, slotCount: slotCount, seed: 7, initializer: "uniform",
      initializerParameters: [
        Hyperparameter(name: "low", value: -0.05), Hyperparameter(name: "high", value: 0.05),
      ],
      optimizer: "adagrad", learningRate: 0.1,
      hyperparameters: [
        Hyperparameter(name: "initialAccumulator", value: 0.1),
        Hyperparameter(name: "epsilon", value: 1e-7),
      ],
      encoding: encoding, includesSlots: includesSlots,
      point: CommitPoint(step: Int64(number) * 100), generation: number)
  }
}

/// All rows of a snapshot in one batch.
func readAll(
  _ reader: SnapshotReader, columns: SnapshotColumns = .all, threads: Int = 1
) throws -> RowBatch {
  var all = RowBatch(
    idType: reader.description.idType, dimension: reader.description.dimension,
    slotCount: reader.description.storedSlotCount)
  var expected: UInt64 = 0
  try reader.forEachBatch(columns: columns, threads: threads) { (rows, first) in
    precondition(first == expected)
    expected += UInt64(rows.count)
    for i in 0..<rows.count { all.ids.append(rows.ids[i]) }
    all.vectors += rows.vectors
    all.slots += rows.slots
    all.frequencies += rows.frequencies
    all.lastSteps += rows.lastSteps
  }
  return all
}

func write(
  _ rows: RowBatch, _ description: SnapshotDescription, to path: String, threads: Int = 1
) throws -> SnapshotSummary {
  let writer = try SnapshotWriter(
    path: path, description: description, options: SnapshotWriterOptions(threads: threads))
  try writer.append(rows)
  return try writer.finish()
}

func same(_ a: RowBatch, _ b: RowBatch) -> Bool {
  a.ids == b.ids && a.vectors.map(\.bitPattern) == b.vectors.map(\.bitPattern)
    && a.slots.map(\.bitPattern) == b.slots.map(\.bitPattern) && a.frequencies == b.frequencies
    && a.lastSteps == b.lastSteps
}

import Foundation
import TestSupport
import Testing

@testable import Embeddings

/// A kind of table to export, import and serve.
struct SnapshotKind: CustomTestStringConvertible, Sendable {
  let idType: IDType
  let optimizer: any Optimizer

  var testDescription: String { "\(idType), \(optimizer.name)" }

  static let all = [IDType.int64, .bytes].flatMap { idType in
    let optimizers: [any Optimizer] = [.adagrad(), .adam(), .sgd()]
    return optimizers.map { SnapshotKind(idType: idType, optimizer: $0) }
  }

  /// A table of `dimension` floats.
  func configuration(_ dimension: Int = 5) -> TableConfiguration {
    TableConfiguration(dimension: dimension, idType: idType, seed: 11, optimizer: optimizer)
  }

  /// Ids of the type under test: negative numbers too, and strings of several lengths.
  func column(_ numbers: some Sequence<Int>) -> IDColumn {
    var ids = IDColumn(type: idType)
    for number in numbers {
      switch idType {
      case .int64: ids.append(Int64(number &* 7919) - 3000)
      case .bytes: ids.append("id-\(number)" + String(repeating: "x", count: number % 23))
      }
    }
    return ids
  }

  /// Trains `batches` batches of a power law, the same ones whoever calls; steps count from
  /// `first`.
  func train(
    _ store: some EmbeddingStore, steps: ClosedRange<Int64>, ids: Int = 4000
  ) throws {
    for step in steps {
      var random = SeededGenerator(seed: UInt64(step))
      let numbers = (0..<500).map { _ in
        let draw = Double(random.float() + 1) / 2
        return Int(draw * draw * Double(ids - 1))
      }
      try store.update(
        column(numbers), gradients: random.floats(numbers.count * store.configuration.dimension),
        step: step)
    }
  }
}

/// All that a store holds, by id.
struct Content: Equatable {
  struct Row: Equatable {
    var vector: [UInt32]
    var slots: [UInt32]
    var frequency: UInt64
    var lastStep: Int64
  }
  var rows: [EmbeddingID: Row] = [:]
  /// The ids in the order of the rows.
  var order: [EmbeddingID] = []

  static func == (a: Content, b: Content) -> Bool { a.rows == b.rows }

  init(_ store: some EmbeddingStore, includingSlots: Bool = true, batchSize: Int = 700) throws {
    var rows: [EmbeddingID: Row] = [:]
    var order: [EmbeddingID] = []
    try store.forEachBatch(ofAtMost: batchSize, includingSlots: includingSlots) {
      (batch) throws(EmbeddingError) -> Bool in
      precondition(batch.count <= batchSize)
      let (d, s) = (batch.dimension, batch.slotCount)
      for i in 0..<batch.count {
        rows[batch.ids[i]] = Row(
          vector: batch.vectors[i * d..<(i + 1) * d].map(\.bitPattern),
          slots: batch.slots[i * s..<(i + 1) * s].map(\.bitPattern),
          frequency: batch.frequencies[i], lastStep: batch.lastSteps[i])
        order.append(batch.ids[i])
      }
      return true
    }
    (self.rows, self.order) = (rows, order)
  }
}

extension Scratch {
  /// A database beside the first.
  func open(named name: String) throws -> EmbeddingDatabase {
    try EmbeddingDatabase(
      at: directory.path + "/" + name,
      options: .init(cacheBudget: 4 << 20, durability: .noSync))
  }

  func file(_ name: String) -> String { directory.path + "/" + name }

  /// The names in the folder, hidden ones included, less the databases.
  var files: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return names.filter { !$0.hasPrefix("db") }.sorted()
  }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(filePath: file(name))) }
}

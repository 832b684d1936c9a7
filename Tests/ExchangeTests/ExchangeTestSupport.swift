import Exchange
import Foundation
import StorageBase
import Testing

/// A folder that goes away with the test.
final class TemporaryFolder {
  let url = FileManager.default.temporaryDirectory.appending(
    path: "exchange-tests-\(UUID().uuidString)")

  init() throws {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appending(path: name).path }

  func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
    try Data(bytes).write(to: url.appending(path: name))
    return path(name)
  }

  func write(_ text: String, to name: String = "file.txt") throws -> String {
    try write(text.utf8, to: name)
  }

  var names: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: url.path).sorted()) ?? []
  }
}

enum Fixtures {
  static let url = Bundle.module.resourceURL!.appending(path: "Fixtures")
  static func path(_ name: String) -> String { url.appending(path: name).path }
  static func bytes(_ name: String) throws -> [UInt8] {
    try Array(Data(contentsOf: url.appending(path: name)))
  }

  static let dimension = 7
  static func vectors() throws -> [UInt32] {
    try bytes("generated/expected.f32").withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) }
  }
  static func ids() throws -> [EmbeddingID] {
    try bytes("generated/expected.i64").withUnsafeBytes {
      $0.bindMemory(to: Int64.self).map { .int64($0) }
    }
  }
  static func words() throws -> [EmbeddingID] {
    try bytes("generated/words.txt").split(separator: 0x0A).map { .bytes(Array($0)) }
  }
}

/// All rows of a file, read in small batches.
struct Rows: Equatable {
  var ids: [EmbeddingID] = []
  var bits: [UInt32] = []
  var frequencies: [UInt64] = []
  var dimension = 0

  init(ids: [EmbeddingID], bits: [UInt32], dimension: Int, frequencies: [UInt64] = []) {
    self.ids = ids
    self.bits = bits
    self.dimension = dimension
    self.frequencies = frequencies
  }

  init(reading path: String, _ options: ReaderOptions = ReaderOptions(), limit: Int = 5)
    throws(EmbeddingError)
  {
    try self.init(reading: try openRowReader(path: path, options: options), limit: limit)
  }

  init(reading reader: any RowReader, limit: Int) throws(EmbeddingError) {
    var batch = reader.makeBatch()
    dimension = reader.dimension
    while try reader.read(into: &batch, limit: limit) > 0 {
      precondition(batch.vectors.count == batch.count * dimension)
      for i in 0..<batch.count { ids.append(batch.ids[i]) }
      bits += batch.vectors.map(\.bitPattern)
      frequencies += batch.frequencies
    }
    precondition(reader.declaredCount == nil || reader.declaredCount == ids.count)
  }

  func write(
    to path: String, _ format: ExchangeFormat, _ options: WriterOptions = WriterOptions(),
    type: IDType? = nil, batchSize: Int = 4
  ) throws(EmbeddingError) {
    let type = type ?? ids.first?.type ?? .bytes
    let writer = try openRowWriter(
      path: path, format: format, count: ids.count, dimension: dimension, idType: type,
      options: options)
    var batch = RowBatch(idType: type, dimension: dimension)
    for (row, id) in ids.enumerated() {
      batch.ids.append(id)
      batch.vectors += bits[(row * dimension)..<((row + 1) * dimension)].map(
        Float.init(bitPattern:))
      if !frequencies.isEmpty { batch.frequencies.append(frequencies[row]) }
      if batch.count == batchSize {
        try writer.write(batch)
        batch.removeAll()
      }
    }
    try writer.write(batch)
    try writer.finish()
  }
}

/// The error of reading `path` whole, if there is one.
func readError(_ path: String, _ options: ReaderOptions = ReaderOptions()) -> EmbeddingError? {
  do throws(EmbeddingError) {
    _ = try Rows(reading: path, options)
    return nil
  } catch { return error }
}

/// Expects that reading `path` fails with `code` and a message that has all of `parts`.
func expectRefused(
  _ path: String, _ options: ReaderOptions = ReaderOptions(),
  _ code: EmbeddingError.Code = .malformedInput, _ parts: String...,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let error = readError(path, options)
  #expect(
    error?.code == code, "\(error?.description ?? "it was read")", sourceLocation: sourceLocation)
  for part in parts {
    #expect(
      error?.message.contains(part) == true, "\(error?.message ?? "") lacks '\(part)'",
      sourceLocation: sourceLocation)
  }
}

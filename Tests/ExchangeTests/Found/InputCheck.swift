import Exchange
import Glibc
import StorageBase

/// What must hold for a file that comes from a stranger, whatever is in it: it reads as rows that
/// keep their promises, or ends in an ``EmbeddingError``. Shared by the fuzzers and by the test that
/// replays what they found.
package struct InputCheck: Sendable {
  /// The ways in which the input is read, each on its own.
  private let ways: [ReaderOptions]
  /// Whether the input is also read as the ids and as the vocabulary of a small file.
  private let isCompanion: Bool

  /// The names of the fuzzers.
  package static let fuzzers = ["text", "word2vec", "npy", "safetensors"]

  /// The check that a fuzzer makes.
  package init?(fuzzer: String) {
    switch fuzzer {
    case "text": self = .text
    case "word2vec": self = .word2vec
    case "npy": self = .npy
    case "safetensors": self = .safetensors
    default: return nil
    }
  }

  private init(ways: [ReaderOptions], isCompanion: Bool = false) {
    self.ways = ways
    self.isCompanion = isCompanion
  }

  /// Word2vec text, fastText and GloVe.
  package static var text: InputCheck {
    InputCheck(ways: [
      ReaderOptions(), ReaderOptions(format: .word2vecText), ReaderOptions(format: .glove),
      ReaderOptions(format: .fastText, allowsNonFinite: true),
      ReaderOptions(format: .glove, idType: .int64),
      ReaderOptions(format: .glove, dimension: 2, requiresUTF8: true),
    ])
  }

  /// Word2vec's binary format.
  package static var word2vec: InputCheck {
    InputCheck(ways: [
      ReaderOptions(), ReaderOptions(format: .word2vecBinary),
      ReaderOptions(format: .word2vecBinary, idType: .int64, allowsNonFinite: true),
    ])
  }

  /// Numpy arrays, and files of ids and of counts.
  package static var npy: InputCheck {
    InputCheck(
      ways: [
        ReaderOptions(), ReaderOptions(format: .npy),
        ReaderOptions(format: .npy, allowsNonFinite: true),
      ], isCompanion: true)
  }

  /// Safetensors.
  package static var safetensors: InputCheck {
    InputCheck(ways: [
      ReaderOptions(format: .safetensors),
      ReaderOptions(format: .safetensors, tensorName: "embeddings", allowsNonFinite: true),
      ReaderOptions(format: .safetensors, idType: .bytes, requiresUTF8: true),
    ])
  }

  /// Reads `input` in every way; what was promised and not kept, or nil.
  package func violation(_ input: UnsafeRawBufferPointer) -> String? {
    let file = MemoryFile(input)
    // Their paths are of descriptors, which close when they go.
    defer { withExtendedLifetime(file) {} }
    for way in ways {
      if let violation = Self.violation(file.path, way) { return violation }
    }
    guard isCompanion else { return nil }
    let matrix = MemoryFile(Self.smallMatrix)
    let words = MemoryFile("2 1\na 1\nb 2\n")
    defer { withExtendedLifetime((matrix, words)) {} }
    return Self.violation(matrix.path, ReaderOptions(format: .npy, idsPath: file.path))
      ?? Self.violation(
        words.path, ReaderOptions(format: .word2vecText, vocabularyPath: file.path))
  }

  /// An npy of two one-float rows.
  private static let smallMatrix: [UInt8] = {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }\n"
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
      + [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]
  }()

  /// Reads a file row by row and in large batches, which must come to the same.
  private static func violation(_ path: String, _ options: ReaderOptions) -> String? {
    let one = outcome(path, options, limit: 1)
    if let violation = one.violation { return violation }
    let many = outcome(path, options, limit: 1000)
    if let violation = many.violation { return violation }
    guard one.error == nil, many.error == nil else {
      // A batch that fails is dropped whole, so only the verdict can be compared.
      return one.error == many.error ? nil : "\(one.error ?? "rows"), or \(many.error ?? "rows")"
    }
    return one == many ? nil : "the rows depend on the size of the batch"
  }

  private struct Outcome: Equatable {
    var rows = 0
    var ids: [EmbeddingID] = []
    var bits: [UInt32] = []
    var error: String?
    var violation: String?
  }

  /// At most so many rows are kept for comparing.
  private static let rowsKept = 1000

  private static func outcome(_ path: String, _ options: ReaderOptions, limit: Int) -> Outcome {
    var outcome = Outcome()
    do throws(EmbeddingError) {
      let reader = try openRowReader(path: path, options: options)
      guard reader.dimension > 0 else {
        outcome.violation = "the dimension is \(reader.dimension)"
        return outcome
      }
      var batch = reader.makeBatch()
      while true {
        let count = try reader.read(into: &batch, limit: limit)
        outcome.violation = broken(batch, count, limit, reader, options)
        if count == 0 || outcome.violation != nil { break }
        for row in 0..<count where outcome.rows + row < rowsKept {
          outcome.ids.append(batch.ids[row])
          let start = row * reader.dimension
          outcome.bits.append(
            contentsOf: batch.vectors[start..<start + reader.dimension].map(\.bitPattern))
        }
        outcome.rows += count
      }
      if let declared = reader.declaredCount, declared != outcome.rows, outcome.violation == nil {
        outcome.violation = "\(outcome.rows) rows were read of the \(declared) declared"
      }
    } catch {
      outcome.error = error.code.description
      if error.message.isEmpty { outcome.violation = "an error without a message" }
    }
    return outcome
  }

  private static func broken(
    _ batch: borrowing RowBatch, _ count: Int, _ limit: Int, _ reader: any RowReader,
    _ options: ReaderOptions
  ) -> String? {
    guard count == batch.count, count <= limit else { return "a batch of another size" }
    guard batch.vectors.count == count * reader.dimension else { return "vectors are missing" }
    guard batch.ids.type == reader.idType else { return "ids of another type" }
    guard options.allowsNonFinite || batch.vectors.allSatisfy(\.isFinite) else {
      return "a value that is not finite came through"
    }
    if batch.ids.type == .bytes,
      zip(batch.ids.offsets, batch.ids.offsets.dropFirst()).contains(where: >=)
    {
      return "an empty id came through"
    }
    return nil
  }
}

/// Bytes in memory under the path of a file.
private final class MemoryFile {
  private let descriptor: Int32
  var path: String { "/proc/self/fd/\(descriptor)" }

  init(_ bytes: UnsafeRawBufferPointer) {
    var template = Array("/dev/shm/embeddings-input-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    precondition(descriptor >= 0, "mkstemp: \(errno)")
    // The descriptor alone keeps it.
    unlink(template)
    var done = 0
    while done < bytes.count {
      let count = write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      precondition(count > 0, "write: \(errno)")
      done += count
    }
  }

  convenience init(_ text: String) {
    let bytes = Array(text.utf8)
    self.init(bytes)
  }

  convenience init(_ bytes: [UInt8]) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    self.init(UnsafeRawBufferPointer(copy))
  }

  deinit { _ = close(descriptor) }
}

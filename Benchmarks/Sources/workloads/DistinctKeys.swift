import WorkloadData

/// Finds the distinct keys of a batch, in the order in which they first occur.
///
/// What a careful trainer has: one open-addressing table for all batches, at most half full, whose
/// entries carry the number of the batch, so that it never has to be cleared.
final class DistinctKeys {
  private struct Entry {
    var hash: UInt64
    var batch: UInt32
    var position: UInt32
  }

  /// The distinct keys of the last batch.
  private(set) var count = 0
  let keys: Keys
  private let kind: KeyKind
  private let mask: Int
  private let entries: UnsafeMutablePointer<Entry>
  private var batch: UInt32 = 0
  private let int64s: UnsafeMutablePointer<Int64>
  private let offsets: UnsafeMutablePointer<Int32>
  private let bytes: UnsafeMutablePointer<UInt8>

  /// - Parameter batchSize: the most keys in a batch.
  init(kind: KeyKind, batchSize: Int) {
    self.kind = kind
    var size = 16
    while size < 2 * batchSize { size *= 2 }
    mask = size - 1
    entries = .allocate(capacity: size)
    entries.initialize(repeating: Entry(hash: 0, batch: 0, position: 0), count: size)
    int64s = .allocate(capacity: batchSize + 1)
    int64s.initialize(repeating: 0, count: batchSize + 1)
    offsets = .allocate(capacity: batchSize + 1)
    offsets.initialize(repeating: 0, count: batchSize + 1)
    bytes = .allocate(capacity: batchSize * 24)
    bytes.initialize(repeating: 0, count: batchSize * 24)
    keys =
      kind == .int64 ? Keys(int64s: int64s) : Keys(offsets: offsets, bytes: bytes)
  }

  deinit {
    entries.deallocate()
    int64s.deallocate()
    offsets.deallocate()
    bytes.deallocate()
  }

  /// Takes in a batch.
  func find(in source: Keys, _ range: Range<Int>) {
    batch += 1
    kind == .int64 ? findInt64s(source, range) : findStrings(source, range)
  }

  private func findInt64s(_ source: Keys, _ range: Range<Int>) {
    let batch = batch
    var found = 0
    for i in range {
      let key = source.int64s.unsafelyUnwrapped[i]
      let bits = UInt64(bitPattern: key)
      // Multiplication mixes upwards, so the place comes from the upper bits.
      var place = Int(truncatingIfNeeded: (bits &* golden) >> 32) & mask
      while entries[place].batch == batch && entries[place].hash != bits {
        place = (place + 1) & mask
      }
      // Whether a key is new cannot be predicted, so nothing branches on it.
      let isNew = entries[place].batch != batch
      entries[place] = Entry(hash: bits, batch: batch, position: 0)
      int64s[found] = key
      found += isNew ? 1 : 0
    }
    count = found
  }

  private func findStrings(_ source: Keys, _ range: Range<Int>) {
    let batch = batch
    var found = 0
    for i in range {
      let key = source.string(i)
      let hash = Self.hash(key)
      var place = Int(truncatingIfNeeded: hash >> 32) & mask
      while true {
        let entry = entries[place]
        if entry.batch != batch {
          entries[place] = Entry(hash: hash, batch: batch, position: UInt32(found))
          let start = offsets[found]
          UnsafeMutableRawPointer(bytes + Int(start)).copyMemory(
            from: key.baseAddress.unsafelyUnwrapped, byteCount: key.count)
          offsets[found + 1] = start + Int32(key.count)
          found += 1
          break
        }
        if entry.hash == hash && equal(keys.string(Int(entry.position)), key) { break }
        place = (place + 1) & mask
      }
    }
    count = found
  }

  /// A hash of a key of 8 to 24 bytes or less, word by word.
  @inline(__always)
  private static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
    let start = key.baseAddress.unsafelyUnwrapped
    var hash = UInt64(key.count) &* golden
    guard key.count >= 8 else {
      for byte in key { hash = (hash ^ UInt64(byte)) &* golden }
      return hash
    }
    for offset in stride(from: 0, to: key.count - 8, by: 8) {
      hash = fold(hash ^ start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    return fold(hash ^ start.loadUnaligned(fromByteOffset: key.count - 8, as: UInt64.self))
  }

  @inline(__always)
  private static func fold(_ value: UInt64) -> UInt64 {
    let product = (value ^ golden).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    return product.high ^ product.low
  }

  @inline(__always)
  private func equal(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    for i in 0..<a.count where a[i] != b[i] { return false }
    return true
  }
}

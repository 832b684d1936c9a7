import Embeddings

/// The distinct words of a batch, numbered in order of first sight: the rows of the batch's local
/// copy of a table. It is emptied with every batch; no index of all words exists anywhere but in
/// the store.
struct WordIndex: Sendable {
  /// The distinct words.
  private(set) var ids = IDColumn(type: .bytes)
  private(set) var hashes: [UInt64] = []
  /// Open addressing: number + 1, or 0 for an empty place.
  private var places = [UInt32](repeating: 0, count: 1 << 10)

  /// The number of distinct words.
  var count: Int { hashes.count }

  /// The number of `word`, which becomes one of the distinct words if it is new.
  mutating func insert(_ word: UnsafeRawBufferPointer) -> Int {
    insert(word, hash: xxh3(word))
  }

  /// The number of `word`, whose XXH3 is `hash`.
  mutating func insert(_ word: UnsafeRawBufferPointer, hash: UInt64) -> Int {
    if hashes.count * 2 >= places.count { grow() }
    let mask = places.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while places[place] != 0 {
      let number = Int(places[place]) - 1
      if hashes[number] == hash && isEqual(number, word) { return number }
      place = (place + 1) & mask
    }
    ids.append(bytes: word)
    hashes.append(hash)
    places[place] = UInt32(hashes.count)
    return hashes.count - 1
  }

  /// Empties the index, keeping its memory.
  mutating func removeAll() {
    ids.removeAll()
    hashes.removeAll(keepingCapacity: true)
    for i in places.indices { places[i] = 0 }
  }

  private func isEqual(_ number: Int, _ word: UnsafeRawBufferPointer) -> Bool {
    ids.withBytes(of: number) { $0.elementsEqual(word) }
  }

  private mutating func grow() {
    places = [UInt32](repeating: 0, count: places.count * 2)
    let mask = places.count - 1
    for (number, hash) in hashes.enumerated() {
      var place = Int(truncatingIfNeeded: hash) & mask
      while places[place] != 0 { place = (place + 1) & mask }
      places[place] = UInt32(number + 1)
    }
  }
}

extension IDColumn {
  /// Lends the bytes of a byte-string id.
  @inline(__always)
  func withBytes<R>(of index: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    let range = Int(offsets[index])..<Int(offsets[index + 1])
    return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}

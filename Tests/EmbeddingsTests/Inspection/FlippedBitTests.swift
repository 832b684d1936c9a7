import Embeddings
import Foundation
import TestSupport
import Testing

/// Every byte that the library stored is damaged in turn: each must be reported.
///
/// The bytes flipped are those of keys and values of every tree, found by a walk through the pages:
/// blocks, id entries and records. LMDB's own bytes (page headers, node headers, branches, the list
/// of free pages) have no checksum, and damage there may crash LMDB, so that they are left alone;
/// what is neither is room that no commit uses. The file is changed below the open map, which shows
/// the change at once: opening it anew for each of the flips would take minutes.
@Suite struct FlippedBitTests {
  let directory = TemporaryDirectory()

  @Test func everyFlippedBitIsReported() throws {
    try makeDatabase()
    let path = directory.path + "/data.mdb"
    let content = try [UInt8](Data(contentsOf: URL(filePath: path)))
    let layout = LMDBPages(content)
    #expect(Set(layout.places.map(\.tree)).count == 7)

    let database = try EmbeddingDatabase(at: directory.path, options: .readOnly)
    #expect(try database.verify().isIntact)
    let descriptor = open(path, O_RDWR)
    #expect(descriptor >= 0)
    defer { close(descriptor) }
    func write(_ byte: UInt8, at offset: Int) {
      #expect(withUnsafeBytes(of: byte) { pwrite(descriptor, $0.baseAddress, 1, offset) } == 1)
    }

    var flips = 0
    for place in layout.places {
      // Of a block every byte, one bit each; of the rest every bit.
      let isBlock = place.range.count > 1000
      for offset in place.range {
        for bit in isBlock ? offset % 8..<offset % 8 + 1 : 0..<8 {
          write(content[offset] ^ 1 << UInt8(bit), at: offset)
          flips += 1
          let found: Bool
          do throws(EmbeddingError) { found = try !database.verify().isIntact } catch {
            // The record of the database as a whole is read before anything else.
            found = [.corruption, .unsupportedFormat].contains(error.code)
          }
          #expect(found, "\(place.tree) \(place.isKey ? "key" : "value") \(offset) bit \(bit)")
        }
        write(content[offset], at: offset)
      }
    }
    #expect(flips > 12_000)
    #expect(try database.verify().isIntact)

    // What was not flipped: LMDB's own bytes of the pages walked, and pages of no commit. The
    // slack of a page of blocks is its header alone.
    let stored = layout.places.reduce(0) { $0 + $1.range.count }
    let blocks = layout.places.filter { $0.range.count > 1000 }
    #expect(blocks.allSatisfy { ($0.range.count + 16) % LMDBPages.pageSize == 0 })
    let leafPages = layout.pages.count - 2 - blocks.count
    #expect(
      layout.pages.count * LMDBPages.pageSize - stored
        <= (2 + leafPages) * LMDBPages.pageSize + 16 * blocks.count)
  }

  private func makeDatabase() throws {
    let database = try openDatabase(directory.path)
    let words = try database.plainTable("words", 40, .bytes)
    let numbers = try database.plainTable("numbers", 60, .int64)
    let vector = (0..<60).map { Float($0) }
    try words.assign(["a", "bb", "ccc"], vectors: (0..<3).map { _ in Array(vector.prefix(40)) })
    try numbers.assign((-9..<9).map { $0 }, vectors: (0..<18).map { _ in vector })
    try words.addFrequency(IDColumn(["a"]).batch)
    try database.commit(step: 1)
    try database.close()
  }
}

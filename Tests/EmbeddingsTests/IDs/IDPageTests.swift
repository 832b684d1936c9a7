import LMDB
import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// The pages that the Int64 ids of a table stand in, beside a dictionary.
@Suite struct IDPageTests {
  let database: EmbeddingDatabase
  let storage: TableStorage
  private let scratch = Scratch()

  init() throws {
    database = try scratch.open()
    storage = try database.table("t", plain).storage
  }

  /// Puts row numbers under keys, or none, in the order of the keys.
  private func edit(_ edits: [(key: UInt64, row: UInt64?)]) throws {
    try database.environment.write { (transaction) throws(EmbeddingError) in
      try storage.editIDs(in: transaction) { (editor, tree) throws(EmbeddingError) in
        for (key, row) in edits { try editor.set(key, row: row, in: &tree) }
      }
    }
  }

  private func alike(_ keys: some Sequence<UInt64>) -> [UInt64: UInt64] {
    Dictionary(uniqueKeysWithValues: keys.map { ($0, $0) })
  }

  /// How many ids stand in each page. Expects what ``IDPage`` says of them.
  private func pages() throws -> [Int] {
    var counts: [Int] = []
    try database.environment.read { (transaction) throws(EmbeddingError) in
      try transaction.withCursor(storage.ids) { (cursor) throws(EmbeddingError) in
        var last: UInt64?
        while let (key, value) = try cursor.next() {
          let page = try storage.idPage(value)
          #expect(page.isIntact(under: key))
          for i in 0..<page.count {
            #expect(last.map { $0 < page.key(i) } ?? true && page.key(i) <= key)
            last = page.key(i)
          }
          last = key
          counts.append(page.count)
        }
      }
    }
    #expect(counts.allSatisfy { 1...IDPage.capacity ~= $0 })
    return counts
  }

  private func expect(_ expected: [UInt64: UInt64], absent: [UInt64] = []) throws {
    var found: [UInt64: UInt64] = [:]
    var keys: [UInt64] = []
    try database.environment.read { (transaction) throws(EmbeddingError) in
      try storage.forEachID(in: transaction) { (key, value) throws(EmbeddingError) in
        found[key] = storage.rowNumber(value)
        keys.append(key)
        return true
      }
      for key in keys.prefix(300) + absent {
        let value = try storage.idValue(under: key, in: transaction)
        #expect(value.map(storage.rowNumber) == expected[key])
      }
      let middle = keys.count / 2
      var rest: [UInt64] = []
      try storage.forEachID(from: keys.isEmpty ? 7 : keys[middle], in: transaction) { (key, _) in
        rest.append(key)
        return rest.count < 3
      }
      #expect(rest == Array(keys.dropFirst(middle).prefix(3)))
    }
    #expect(found == expected && keys == expected.keys.sorted())
  }

  @Test func idsInRisingOrderPackThePages() throws {
    var expected: [UInt64: UInt64] = [:]
    var next: UInt64 = 5
    for count in [10, 300, 1, 253, 1000] {
      try edit((0..<UInt64(count)).map { (next + $0, $0) })
      for k in 0..<UInt64(count) { expected[next + k] = k }
      next += UInt64(count)
      let pages = try pages()
      #expect(pages.dropLast().allSatisfy { $0 == IDPage.capacity })
    }
    try expect(expected, absent: [0, 4, next, .max])
  }

  @Test func manyIdsBeforeTheOnlyOneAreNotKeptInHand() throws {
    try edit([(.max, 3)])
    try edit((0..<100_000).map { ($0, $0) })
    let pages = try pages()
    #expect(pages.count <= 100_001 / IDPage.capacity + 3)
    var expected = alike(0..<100_000)
    expected[.max] = 3
    try expect(expected, absent: [100_000])
  }

  @Test func aPageThatLosesMostOfItsIdsJoinsTheNext() throws {
    try edit((0..<2540).map { ($0, $0) })
    #expect(try pages().count == 10)
    // One of each hundred stays.
    try edit((0..<2540).filter { $0 % 100 != 0 }.map { ($0, nil) })
    #expect(try pages() == [26])
    try expect(
      alike(stride(from: 0, to: 2540, by: 100)),
      absent: [1, 99, 2539])
    try edit(stride(from: 0, to: 2540, by: 100).map { ($0, nil) })
    #expect(try pages() == [])
    try expect([:], absent: [0])
    try edit([(9, 9)])
    try expect([9: 9])
  }

  @Test func editsOneByOneComeToTheSame() throws {
    for key in [UInt64(5), 3, 9, 4] { try edit([(key, key * 2)]) }
    try expect([3: 6, 4: 8, 5: 10, 9: 18])
    try edit([(9, nil)])
    try edit([(7, nil)])
    try expect([3: 6, 4: 8, 5: 10], absent: [9, 7])
  }

  @Test(arguments: [UInt64(300), 20_000, 1 << 40])
  func randomEditsMatchADictionary(_ range: UInt64) throws {
    var random = SeededGenerator(seed: range)
    var expected: [UInt64: UInt64] = [:]
    for round in 0..<60 {
      let removing = round % 5 == 4
      var edits: [UInt64: UInt64?] = [:]
      for _ in 0..<[3, 40, 2000][round % 3] {
        edits[random.next() % range] = removing ? .some(nil) : round.isMultiple(of: 7) ? 1 : 2
      }
      if removing {
        for key in expected.keys where random.next() % 10 < 7 { edits[key] = .some(nil) }
      }
      let sorted = edits.map { (key: $0.key, row: $0.value) }.sorted { $0.key < $1.key }
      try database.environment.write { (transaction) throws(EmbeddingError) in
        try storage.editIDs(in: transaction) { (editor, tree) throws(EmbeddingError) in
          for (i, edit) in sorted.enumerated() {
            if i % 3 == 0 {
              #expect(try editor.row(under: edit.key, in: &tree) == expected[edit.key])
            }
            try editor.set(edit.key, row: edit.row, in: &tree)
            if i % 500 == 499 { try editor.writeAhead(beyond: 4096, in: transaction) }
          }
        }
      }
      for (key, row) in edits { expected[key] = row }
      let pages = try pages()
      // None but the last two is left with few.
      #expect(pages.dropLast(2).allSatisfy { $0 >= IDPage.capacity / 4 })
      try expect(expected, absent: sorted.prefix(50).map(\.key))
    }
  }

  @Test func anIdIsFoundHoweverTheKeysAreSpread() {
    let spreads: [[UInt64]] = [
      [7], Array(0..<254), (0..<64).map { 1 << $0 }, (0..<64).map { ~(1 << (63 - $0)) },
      Array(0..<250) + [.max - 1, .max], [0, .max], [0] + Array((.max - 252)...(.max)),
    ]
    for keys in spreads {
      var words: [UInt64] = []
      IDPage.encode(keys: keys[...], rows: keys[...], under: keys.last!, to: &words)
      words.withUnsafeBytes { value in
        guard let page = IDPage(value) else { return #expect(Bool(false)) }
        let wanted = keys.flatMap { [$0 &- 1, $0, $0 &+ 1] } + [0, 1 << 40, .max]
        for key in wanted {
          #expect(page.index(atOrAfter: key) == keys.firstIndex { $0 >= key } ?? keys.count)
          #expect((page.row(under: key) != nil) == keys.contains(key))
        }
      }
    }
  }

  @Test func aValueThatIsNoPageIsDamage() throws {
    try edit([(9, 9)])
    try database.environment.write { (transaction) throws(EmbeddingError) in
      try [UInt8](repeating: 0, count: 32).withBytes { (value) throws(EmbeddingError) in
        try transaction.put(9, value, in: storage.ids)
      }
    }
    let error = thrownError {
      try database.environment.read { (transaction) throws(EmbeddingError) in
        _ = try storage.idValue(under: 1, in: transaction)
      }
    }
    #expect(error?.code == .corruption)
    #expect(thrownError { try edit([(3, 3)]) }?.code == .corruption)
    #expect(try database.verify().counts[.strayID] == 1)
  }
}

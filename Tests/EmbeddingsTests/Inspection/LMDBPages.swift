/// A walk through the pages of a `data.mdb`, as LMDB 0.9 lays them out: where the keys and values
/// of its named databases stand in the file.
struct LMDBPages {
  /// A key or value in a leaf, or a value on overflow pages of its own.
  struct Place {
    var tree: String
    var isKey: Bool
    var range: Range<Int>
  }

  static let pageSize = 4096
  private static let headerSize = 16
  let bytes: [UInt8]
  private(set) var places: [Place] = []
  /// Pages that were walked, the meta pages included.
  private(set) var pages: Set<Int> = [0, 1]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    // A meta page: page header, magic, version, address, map size, the free database and the main
    // one (48 bytes each, the root at 40), last page, transaction.
    let metas = [0, 1].map { $0 * Self.pageSize }
    let meta: Int = metas.max { integer($0 + 144, 8) < integer($1 + 144, 8) }!
    let start = meta + 16 + 24 + 48
    walk(integer(start + 40, 8), tree: "")
  }

  /// The little-endian integer of `count` bytes at `offset`.
  private func integer(_ offset: Int, _ count: Int) -> UInt64 {
    (0..<count).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
  }

  private mutating func walk(_ root: UInt64, tree: String) {
    guard root != .max else { return }
    pages.insert(Int(root))
    let page = Int(root) * Self.pageSize
    let flags = integer(page + 10, 2)
    let nodes = (Int(integer(page + 12, 2)) - Self.headerSize) / 2
    for i in 0..<nodes {
      // A node: size or child (4), flags or the child's rest (2), key size (2), key, value.
      let node = page + Int(integer(page + Self.headerSize + 2 * i, 2))
      let low = integer(node, 4)
      let nodeFlags = integer(node + 4, 2)
      if flags & 1 != 0 {
        walk(low | nodeFlags << 32, tree: tree)
        continue
      }
      let key = node + 8..<node + 8 + Int(integer(node + 6, 2))
      if nodeFlags & 2 != 0 {
        walk(integer(key.upperBound + 40, 8), tree: String(decoding: bytes[key], as: UTF8.self))
        continue
      }
      places.append(Place(tree: tree, isKey: true, range: key))
      var value = key.upperBound
      if nodeFlags & 1 != 0 {
        let overflow = Int(integer(value, 8))
        value = overflow * Self.pageSize + Self.headerSize
        pages.formUnion(overflow..<overflow + Int(integer(overflow * Self.pageSize + 12, 4)))
      }
      places.append(Place(tree: tree, isKey: false, range: value..<value + Int(low)))
    }
  }
}

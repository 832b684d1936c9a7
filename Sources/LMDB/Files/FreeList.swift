import StorageBase

/// LMDB's database of free pages, walked in the file itself.
struct FreeList {
  private let file: DataFile
  private let meta: MetaPage

  /// A page starts with its number (8 bytes), padding (2), flags (2), and then the bounds of its
  /// free room, or for an overflow page the count of its pages (4).
  private static let headerSize = 16
  private static let flagsOffset = 10
  private static let lowerOffset = 12
  private static let overflowPagesOffset = 12
  private static let branchFlag: UInt16 = 0x01
  private static let leafFlag: UInt16 = 0x02
  private static let overflowFlag: UInt16 = 0x04
  /// A node starts with the low 32 bits of its data size or child page (4 bytes), its flags, or the
  /// child's next 16 bits (2), and the key's size (2); then come the key and the data.
  private static let nodeHeaderSize = 8
  private static let bigDataFlag: UInt16 = 0x01

  init(_ file: DataFile, _ meta: MetaPage) {
    self.file = file
    self.meta = meta
  }

  /// Whether every page of `range` is free. False too where the list cannot be read.
  func containsAll(_ range: Range<Int>) throws(EmbeddingError) -> Bool {
    var toVisit = meta.freeRoot == .max ? [] : [meta.freeRoot]
    var visited = 0
    var found = Set<UInt64>()
    while let number = toVisit.popLast() {
      visited += 1
      guard visited <= meta.lastPage, let page = try page(number, count: 1) else { return false }
      let flags: UInt16 = load(page, Self.flagsOffset)
      let isLeaf = flags & Self.leafFlag != 0
      guard isLeaf || flags & Self.branchFlag != 0 else { return false }
      let lower = Int(load(page, Self.lowerOffset) as UInt16)
      guard lower >= Self.headerSize, lower <= page.count else { return false }
      for index in 0..<(lower - Self.headerSize) / 2 {
        let node = Int(load(page, Self.headerSize + 2 * index) as UInt16)
        guard node + Self.nodeHeaderSize <= page.count else { return false }
        let low = UInt64(load(page, node) as UInt16) | UInt64(load(page, node + 2) as UInt16) << 16
        let nodeFlags: UInt16 = load(page, node + 4)
        if !isLeaf {
          toVisit.append(low | UInt64(nodeFlags) << 32)
          continue
        }
        let data = node + Self.nodeHeaderSize + Int(load(page, node + 6) as UInt16)
        guard let list = try list(page, data, Int(low), isBig: nodeFlags & Self.bigDataFlag != 0)
        else { return false }
        for page in list where page < UInt64(range.upperBound) && page >= UInt64(range.lowerBound) {
          found.insert(page)
        }
      }
    }
    return found.count == range.count
  }

  /// The page numbers of one entry: a count, and then as many numbers, of 8 bytes each.
  private func list(
    _ page: [UInt8], _ data: Int, _ size: Int, isBig: Bool
  ) throws(EmbeddingError) -> [UInt64]? {
    var bytes = page
    var start = data
    if isBig {
      guard data + 8 <= page.count else { return nil }
      let pages = (Self.headerSize + size + meta.pageSize - 1) / meta.pageSize
      guard let overflow = try self.page(load(page, data), count: pages) else { return nil }
      bytes = overflow
      start = Self.headerSize
    }
    guard size >= 8, start + size <= bytes.count else { return nil }
    let count: UInt64 = load(bytes, start)
    guard count <= UInt64(size / 8 - 1) else { return nil }
    return (0..<Int(count)).map { load(bytes, start + 8 + 8 * $0) }
  }

  private func page(_ number: UInt64, count: Int) throws(EmbeddingError) -> [UInt8]? {
    guard number <= meta.lastPage,
      Int(number) + count <= (try file.size()) / meta.pageSize
    else { return nil }
    return try file.read(count: count * meta.pageSize, at: Int(number) * meta.pageSize)
  }

  private func load<T: FixedWidthInteger>(_ bytes: [UInt8], _ offset: Int) -> T {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: T.self) }
  }
}

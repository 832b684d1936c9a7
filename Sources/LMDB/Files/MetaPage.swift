import StorageBase

/// The head of a meta page of LMDB 0.9 on a 64-bit machine: pages 0 and 1 of `data.mdb` name the
/// last two commits. All fields are in the machine's byte order.
struct MetaPage {
  /// The page header (`MDB_page`) and the fields after it (`MDB_meta`), in bytes.
  private enum Offset {
    static let flags = 10
    static let magic = 16
    static let version = magic + 4
    static let address = version + 4
    static let mapSize = address + 8
    static let freeDatabase = mapSize + 8
    static let mainDatabase = freeDatabase + databaseRecordSize
    static let lastPage = mainDatabase + databaseRecordSize
    static let transactionID = lastPage + 8
    static let end = transactionID + 8
  }
  private static let databaseRecordSize = 48
  private static let rootOffset = 40
  private static let magic: UInt32 = 0xBEEF_C0DE
  private static let metaFlag: UInt16 = 0x08
  /// The bytes to read.
  static let size = Offset.end

  let flags: UInt16
  let magic: UInt32
  let version: UInt32
  let pageSize: Int
  /// The root of the database of free pages; `UInt64.max` where it is empty.
  let freeRoot: UInt64
  let lastPage: UInt64
  let transactionID: UInt64

  /// Reads the fields of the page that starts with `bytes`.
  init(_ bytes: [UInt8]) {
    func load<T: FixedWidthInteger>(_ type: T.Type, _ offset: Int) -> T {
      bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }
    flags = load(UInt16.self, Offset.flags)
    magic = load(UInt32.self, Offset.magic)
    version = load(UInt32.self, Offset.version)
    // LMDB keeps the page size in the padding of the first record.
    pageSize = Int(load(UInt32.self, Offset.freeDatabase))
    freeRoot = load(UInt64.self, Offset.freeDatabase + Self.rootOffset)
    lastPage = load(UInt64.self, Offset.lastPage)
    transactionID = load(UInt64.self, Offset.transactionID)
  }

  /// Makes the head of a meta page that of page `page`, of another transaction.
  static func set(page: UInt64, transaction: UInt64, in bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes {
      $0.storeBytes(of: page, toByteOffset: 0, as: UInt64.self)
      $0.storeBytes(of: transaction, toByteOffset: Offset.transactionID, as: UInt64.self)
    }
  }

  /// What is wrong with the page by itself; nil for nothing.
  var problem: String? {
    if magic != Self.magic { return "no LMDB magic number (0x\(String(magic, radix: 16)))" }
    if version != 1 { return "version \(version) of the format, where 1 is read" }
    if flags & Self.metaFlag == 0 { return "no meta flag" }
    if pageSize < 512 || pageSize > 65536 || pageSize & (pageSize - 1) != 0 {
      return "a page size of \(pageSize), which is no power of two from 512 to 65536"
    }
    return nil
  }
}

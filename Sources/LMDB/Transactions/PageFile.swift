import CLMDB
import Glibc
package import StorageBase

/// The file of a write transaction, for values that fill pages of their own and that the caller writes
/// there himself (``Appender/reserve(_:count:isLast:)``): from where they were made, in any thread,
/// without the copy in memory that LMDB would keep until it wrote it. The commit stays what decides:
/// until then nothing refers to the pages, and it syncs them with all others.
///
/// Only where the parts of LMDB's transactions are known (``clmdb_take_pages``).
package struct PageFile: Sendable {
  private let descriptor: Int32

  /// Pages have this size.
  package static let pageSize = 4096
  /// What the first page of a value begins with.
  package static let headerSize = 16

  fileprivate init?(_ transaction: OpaquePointer) {
    var descriptor: Int32 = -1
    var stat = MDB_stat()
    let environment = mdb_txn_env(transaction)
    guard clmdb_is_known(transaction) != 0,
      mdb_env_stat(environment, &stat) == MDB_SUCCESS, Int(stat.ms_psize) == Self.pageSize,
      mdb_env_get_fd(environment, &descriptor) == MDB_SUCCESS
    else { return nil }
    self.descriptor = descriptor
  }

  /// Begins the pages of a value, `count` from number `page` on: its bytes come behind.
  package static func setHeader(_ pages: UnsafeMutableRawPointer, page: UInt64, count: Int) {
    let overflow: UInt16 = 0x04
    pages.storeBytes(of: page, as: UInt64.self)
    pages.storeBytes(of: 0, toByteOffset: 8, as: UInt16.self)
    pages.storeBytes(of: overflow, toByteOffset: 10, as: UInt16.self)
    pages.storeBytes(of: UInt32(count), toByteOffset: 12, as: UInt32.self)
  }

  /// Writes whole pages, the first of which has number `page`. Returns the system's error, 0 for none,
  /// for ``WriteTransaction/check(writing:)`` in the thread that has the transaction.
  package func write(_ pages: UnsafeRawBufferPointer, at page: UInt64) -> Int32 {
    var rest = pages
    var offset = Int(page) * Self.pageSize
    while !rest.isEmpty {
      let written = pwrite(descriptor, rest.baseAddress, rest.count, offset)
      guard written > 0 else {
        if written < 0, errno == EINTR { continue }
        return written < 0 ? errno : EIO
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
      offset += written
    }
    return 0
  }
}

extension WriteTransaction {
  /// Its file, where values may be written there.
  package var pageFile: PageFile? {
    environment.options.allowsPageFile ? PageFile(handle.raw) : nil
  }

  /// Takes note of what writing to ``pageFile`` came to, and throws it where it is an error.
  package func check(writing code: Int32) throws(EmbeddingError) {
    try state.check(code, "writing pages ahead of the commit")
  }
}

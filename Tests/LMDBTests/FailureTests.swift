import Glibc
import StorageBase
import TestSupport
import Testing

@testable import LMDB

/// What each failure of a commit means (see `settle`); the codes are handed in, since no ordinary
/// file system fails on demand.
@Suite struct FailureTests {
  let directory = TemporaryDirectory()

  /// The codes of the call that fails, and of a read and a write after it.
  private func outcome(
    _ number: Int32, isCommit: Bool = true, _ durability: Durability = .full
  ) throws -> [EmbeddingError.Code?] {
    let environment = try open(directory.path, durability: durability)
    let rows = try environment.rows()
    let failed = code { () throws(EmbeddingError) in
      try environment.visit { (raw) throws(EmbeddingError) -> Void in
        try environment.settle(number, isCommit: isCommit, raw)
      }
    }
    let read = code { () throws(EmbeddingError) in
      _ = try environment.value(1, in: rows)
    }
    let write = code { () throws(EmbeddingError) in
      try environment.set(1, 1, in: rows)
    }
    try environment.close()
    return [failed, read, write]
  }

  @Test func anInputOutputErrorOfACommitPoisonsUntilReopened() throws {
    #expect(try outcome(EIO) == [.io, .poisoned, .poisoned])
    #expect(try outcome(EIO, .lastCommitMayBeLost) == [.io, .poisoned, .poisoned])
    let environment = try open(directory.path)
    try environment.set(1, 1, in: environment.rows())
  }

  @Test func aPanicOfLMDBPoisons() throws {
    for durability in Durability.allCases {
      #expect(try outcome(MDBCodes.panic, durability) == [.io, .poisoned, .poisoned])
    }
  }

  @Test func noRoomDoesNotPoisonWhereTheLastCommitWasSynced() throws {
    #expect(try outcome(ENOSPC) == [.diskFull, nil, nil])
    #expect(try outcome(ENOSPC, .noSync) == [.diskFull, nil, nil])
    #expect(try outcome(ENOSPC, .lastCommitMayBeLost) == [.diskFull, .poisoned, .poisoned])
  }

  @Test func failuresBeforeTheSyncDoNotPoison() throws {
    for durability in Durability.allCases {
      #expect(try outcome(EIO, isCommit: false, durability) == [.io, nil, nil])
      #expect(try outcome(ENOMEM, durability) == [.io, nil, nil])
      #expect(try outcome(MDBCodes.transactionFull, durability) == [.invalidArgument, nil, nil])
    }
  }
}

/// Codes of `lmdb.h`, whose module the tests do not import.
private enum MDBCodes {
  static let panic: Int32 = -30795
  static let transactionFull: Int32 = -30788
}

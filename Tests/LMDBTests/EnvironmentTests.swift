import Glibc
import StorageBase
import TestSupport
import Testing

@testable import LMDB

@Suite struct EnvironmentTests {
  let directory = TemporaryDirectory()

  @Test func missingDirectoriesAreCreated() throws {
    let environment = try open(directory.path + "/a/b")
    try environment.set(1, 1, in: environment.rows())
  }

  @Test func aDirectoryIsOpenedOnceInAProcess() throws {
    let environment = try open(directory.path)
    for path in [directory.path, directory.path + "/.", directory.path + "//"] {
      #expect(code { () throws(EmbeddingError) in _ = try open(path) } == .environmentInUse)
    }
    #expect(symlink(directory.path, directory.path + "/link") == 0)
    #expect(
      code { () throws(EmbeddingError) in
        _ = try open(directory.path + "/link")
      } == .environmentInUse)
    try environment.close()
    _ = try open(directory.path)
  }

  @Test func aFailedOpenLeavesTheDirectoryFree() throws {
    #expect(
      code { () throws(EmbeddingError) in
        _ = try open(directory.path, mapSize: 0)
      } == .invalidArgument)
    _ = try open(directory.path)
  }

  @Test func aWriteWithinAWriteIsRefusedAndTheOuterOneGoesOn() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.write { (transaction) throws(EmbeddingError) in
      #expect(
        code { () throws(EmbeddingError) in
          try environment.set(2, 2, in: rows)
        } == .reentrancy)
      #expect(
        code { () throws(EmbeddingError) in
          try environment.copy(to: directory.path + "/copy", compacting: false)
        } == .reentrancy)
      #expect(code { () throws(EmbeddingError) in try environment.close() } == .reentrancy)
      try transaction.put(1, [1], in: rows)
    }
    #expect(try environment.value(1, in: rows) == [1])
  }

  @Test func aWriteWithinAWriteOfAnotherEnvironmentIsFine() throws {
    let elsewhere = TemporaryDirectory()
    let (one, other) = (try open(directory.path), try open(elsewhere.path))
    let (rows, otherRows) = (try one.rows(), try other.rows())
    try one.write { (transaction) throws(EmbeddingError) in
      try other.set(1, 2, in: otherRows)
      try transaction.put(1, [1], in: rows)
    }
    #expect(try other.value(1, in: otherRows)?.first == 2)
  }

  @Test func afterCloseEveryCallIsRefused() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.close()
    try environment.close()
    let codes = [
      code { () throws(EmbeddingError) in _ = try environment.value(1, in: rows) },
      code { () throws(EmbeddingError) in try environment.set(1, 1, in: rows) },
      code { () throws(EmbeddingError) in _ = try environment.beginRead() },
      code { () throws(EmbeddingError) in _ = try environment.statistics() },
      code { () throws(EmbeddingError) in _ = try environment.readers() },
      code { () throws(EmbeddingError) in _ = try environment.clearStaleReaders() },
      code { () throws(EmbeddingError) in try environment.sync() },
      code { () throws(EmbeddingError) in
        try environment.copy(to: directory.path + "/copy", compacting: true)
      },
    ]
    #expect(codes == [EmbeddingError.Code?](repeating: .closed, count: 8))
  }

  @Test func anOwnedReadOutlivesCloseAndThenClosesTheFiles() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    do {
      let reader = try environment.beginRead()
      try environment.close()
      #expect(try reader.get(1, in: rows)?.first == 1)
      #expect(
        code { () throws(EmbeddingError) in _ = try open(directory.path) }
          == .environmentInUse)
    }
    _ = try open(directory.path)
  }

  @Test func closeWithinAReadIsRefused() throws {
    let environment = try open(directory.path)
    try environment.read { (_) throws(EmbeddingError) in
      #expect(code { () throws(EmbeddingError) in try environment.close() } == .reentrancy)
    }
  }

  @Test func readOnlyEnvironmentsMustExistAndRefuseWrites() throws {
    #expect(
      code { () throws(EmbeddingError) in
        _ = try open(directory.path, isReadOnly: true)
      } == .notFound)
    #expect(
      code { () throws(EmbeddingError) in
        _ = try open(directory.path + "/none", isReadOnly: true)
      } == .notFound)
    #expect(access(directory.path + "/none", F_OK) != 0)
    do {
      let environment = try open(directory.path)
      try environment.set(1, 1, in: environment.rows())
    }
    let environment = try open(directory.path, isReadOnly: true)
    let rows = try environment.rows()
    #expect(try environment.value(1, in: rows)?.first == 1)
    #expect(
      code { () throws(EmbeddingError) in
        try environment.set(1, 2, in: rows)
      } == .readOnly)
  }

  @Test func networkFileSystemsAreKnownByTheirNumbers() throws {
    for (magic, name) in [
      (UInt32(0x6969), "NFS"), (0xFF53_4D42, "CIFS"), (0x6573_5546, "FUSE"), (0x0102_1997, "9p"),
    ] { #expect(unsafeFileSystemName(magic: magic) == name) }
    for magic in [UInt32(0xEF53), 0x0102_1994, 0x5846_5342, 0x9123_683E] {
      #expect(unsafeFileSystemName(magic: magic) == nil)
    }
  }

  @Test func statisticsDescribeTheEnvironment() throws {
    let environment = try open(directory.path, mapSize: 1 << 24)
    let rows = try environment.rows()
    try environment.set(1, 1, count: 100_000, in: rows)
    let old = try environment.beginRead()
    for _ in 0..<3 { try environment.set(1, 2, count: 100_000, in: rows) }
    let statistics = try environment.statistics()
    #expect(statistics.mapSize == 1 << 24)
    #expect(statistics.pageSize == sysconf(Int32(_SC_PAGESIZE)))
    #expect(statistics.fileSize == (statistics.lastPage + 1) * statistics.pageSize)
    #expect(statistics.freePages > 0)
    #expect(statistics.readersInUse >= 1)
    #expect(statistics.maxReaders == 126)
    #expect(statistics.lastTransactionID == old.id + 3)
    #expect(statistics.oldestReaderLag == 3)
    #expect(statistics.libraryVersion.hasPrefix("LMDB "))
    let reader = try environment.readers().first { $0.transactionID == old.id }
    #expect(reader?.process == getpid())
  }

  @Test func badVersionsOfTheLibraryAreNamed() {
    for patch in 26...31 { #expect(Environment.versionWarning(0, 9, patch) != nil) }
    for patch in [24, 25, 32, 33] { #expect(Environment.versionWarning(0, 9, patch) == nil) }
    #expect(Environment.versionWarning(1, 0, 0) != nil)
  }

  @Test(arguments: [false, true]) func aCopyIsAnEnvironmentOfItsOwn(compacting: Bool) throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    for key in 0..<50 { try environment.set(UInt64(key), 3, count: 5000, in: rows) }
    try environment.write { (transaction) throws(EmbeddingError) in
      for key in 1..<50 { try transaction.delete(UInt64(key), in: rows) }
    }
    let target = directory.path + "/copies/one"
    try environment.copy(to: target, compacting: compacting)
    #expect(
      code { () throws(EmbeddingError) in
        try environment.copy(to: target, compacting: compacting)
      } == .alreadyExists)
    let copy = try open(target)
    #expect(try copy.value(0, in: copy.rows())?.count == 5000)
    #expect(try copy.value(1, in: copy.rows()) == nil)
    if compacting {
      #expect(try copy.statistics().fileSize < environment.statistics().fileSize)
    }
  }

  @Test(arguments: Durability.allCases) func everyDurabilityCommitsAndSyncs(_ level: Durability)
    throws
  {
    let environment = try open(directory.path, durability: level)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    try environment.sync()
    #expect(try environment.value(1, in: rows)?.first == 1)
  }

  @Test func fullReaderSlotsAreAClearErrorAndPass() throws {
    let environment = try open(directory.path, maxReaders: 2)
    do {
      let one = try environment.beginRead()
      let two = try environment.beginRead()
      #expect(
        code { () throws(EmbeddingError) in
          _ = try environment.beginRead()
        } == .readersFull)
      #expect(one.id == two.id)
    }
    _ = try environment.beginRead()
  }

  @Test func oneThreadMayHoldManyReadTransactions() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    func nest(_ depth: Int) throws(EmbeddingError) {
      try environment.read { (transaction) throws(EmbeddingError) in
        #expect(try transaction.get(1, in: rows)?.first == 1)
        if depth > 0 { try nest(depth - 1) }
      }
    }
    try nest(100)
    // Idle ones beyond a few are given up, so that other processes find slots.
    #expect(try environment.readers().count <= 65)
  }

  @Test func anAddressSpaceLimitMakesTheMapSmaller() async {
    await #expect(processExitsWith: .success) { [path = directory.path as String] in
      var limit = rlimit(rlim_cur: 40 << 30, rlim_max: 40 << 30)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
      let environment = try Environment(path: path)
      let size = try environment.statistics().mapSize
      #expect(size < 40 << 30 && size >= 1 << 30)
      try environment.set(1, 1, in: environment.rows())
    }
  }
}

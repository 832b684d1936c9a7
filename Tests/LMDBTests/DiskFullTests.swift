import Glibc
import LMDB
import StorageBase
import TestSupport
import Testing

/// Whether this process may mount a small file system to fill.
private let canMount: Bool = {
  let directory = TemporaryDirectory()
  guard mount("tmpfs", directory.path, "tmpfs", 0, "size=1m") == 0 else { return false }
  return umount2(directory.path, 0) == 0
}()

@Suite struct DiskFullTests {
  let directory = TemporaryDirectory()

  @Test(
    .enabled(if: canMount, "needs the right to mount a file system"),
    arguments: [Durability.full, .noSync])
  func afterRoomIsMadeTheNextCommitWorks(durability: Durability) throws {
    #expect(mount("tmpfs", directory.path, "tmpfs", 0, "size=8m") == 0)
    defer { umount2(directory.path, Int32(MNT_DETACH)) }
    try fillAndMakeRoom(durability)
  }

  private func fillAndMakeRoom(_ durability: Durability) throws {
    let environment = try open(directory.path + "/db", durability: durability)
    let rows = try environment.rows()
    for key in 0..<10 { try environment.set(UInt64(key), 1, count: 100_000, in: rows) }
    // Something else takes most of the room.
    let ballast = directory.path + "/ballast"
    let stream = Glibc.open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
    #expect(posix_fallocate(stream, 0, 5 << 20) == 0)
    Glibc.close(stream)

    // Commits of pages one by one, and of one value of many pages.
    for _ in 0..<3 {
      #expect(
        code { () throws(EmbeddingError) in
          try environment.write { (transaction) throws(EmbeddingError) in
            for key in 0..<2000 {
              try transaction.put(UInt64(key), [UInt8](repeating: 2, count: 1500), in: rows)
            }
          }
        } == .diskFull)
      #expect(
        code { () throws(EmbeddingError) in
          try environment.set(3, 2, count: 6 << 20, in: rows)
        } == .diskFull)
      for key in 0..<10 {
        #expect(
          try environment.value(UInt64(key), in: rows) == [UInt8](repeating: 1, count: 100_000))
      }
    }
    // Emptied, not only removed: a child process of another test may have inherited it.
    #expect(truncate(ballast, 0) == 0)
    unlink(ballast)
    try environment.set(3, 2, count: 3 << 20, in: rows)
    #expect(try environment.value(3, in: rows)?.last == 2)
    try environment.close()
    let reopened = try open(directory.path + "/db")
    #expect(try reopened.value(3, in: reopened.rows())?.count == 3 << 20)
    #expect(try reopened.value(9, in: reopened.rows())?.count == 100_000)
  }

  @Test(
    .enabled(if: canMount, "needs the right to mount a file system"))
  func whereTheLastCommitMayBeLostAFullDiskPoisons() throws {
    #expect(mount("tmpfs", directory.path, "tmpfs", 0, "size=4m") == 0)
    defer { umount2(directory.path, Int32(MNT_DETACH)) }
    do {
      let environment = try open(directory.path + "/db", durability: .lastCommitMayBeLost)
      let rows = try environment.rows()
      try environment.set(1, 1, in: rows)
      #expect(
        code { () throws(EmbeddingError) in
          try environment.set(2, 2, count: 6 << 20, in: rows)
        } == .diskFull)
      #expect(
        code { () throws(EmbeddingError) in
          try environment.set(2, 2, in: rows)
        } == .poisoned)
      #expect(
        code { () throws(EmbeddingError) in
          _ = try environment.value(1, in: rows)
        } == .poisoned)
    }
    let environment = try open(directory.path + "/db")
    #expect(try environment.value(1, in: environment.rows())?.first == 1)
  }

  @Test func aLimitOnFileSizesIsADiskThatIsFull() async {
    await #expect(processExitsWith: .success) { [path = directory.path as String] in
      signal(SIGXFSZ, SIG_IGN)
      let environment = try open(path, durability: .full)
      let rows = try environment.rows()
      try environment.set(1, 1, in: rows)
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      limit.rlim_cur = 1 << 20
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      for _ in 0..<3 {
        #expect(
          code { () throws(EmbeddingError) in
            try environment.set(2, 2, count: 2 << 20, in: rows)
          } == .diskFull)
        #expect(try environment.value(1, in: rows)?.first == 1)
      }
      limit.rlim_cur = limit.rlim_max
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      try environment.set(2, 2, count: 2 << 20, in: rows)
      #expect(try environment.value(2, in: rows)?.last == 2)
    }
  }
}

/// What a commit promises to have survived once it returns.
///
/// In every level a commit is atomic, and a crash of the process alone loses nothing: the operating
/// system has the data. The levels differ in what a crash of the system (power loss, kernel panic)
/// may do.
public enum Durability: String, Sendable, Hashable, CaseIterable {
  /// Every commit is synced to the medium before it returns (two syncs a commit). A commit that
  /// returned is never lost. The default.
  case full

  /// The data is synced, the page that names the commit is not: the integrity of the database
  /// holds, but a system crash may undo the last commit (LMDB's `MDB_NOMETASYNC`). One sync a
  /// commit.
  case lastCommitMayBeLost

  /// Nothing is synced until `sync` is called: a crash of the process is safe, a system crash may
  /// corrupt the whole database (LMDB's `MDB_NOSYNC`). For data that can be made again.
  case noSync
}

import Snapshots
import StorageBase

/// A running hash of the changed blocks of a commit, in the order in which they are written.
struct ContentHash: Sendable, Hashable {
  private(set) var high: UInt64 = 0
  private(set) var low: UInt64 = 0

  /// Adds the hash of one block's contents, which knows the number of the block.
  mutating func add(_ content: UInt64) {
    high = mix64(high ^ content)
    low = mix64(low &+ content &* golden)
  }

  /// Adds all of another hash.
  mutating func add(_ other: ContentHash) {
    add(other.high)
    add(other.low)
  }
}

extension SnapshotIdentity {
  /// The 128-bit hash of bytes.
  init(hashOf bytes: [UInt8]) {
    self = bytes.withUnsafeBytes {
      SnapshotIdentity(high: xxh3($0), low: xxh3($0, seed: golden))
    }
  }
}

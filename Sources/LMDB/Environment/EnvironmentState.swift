import Glibc
import StorageBase

/// The calling thread, as this module tells threads apart.
var currentThread: UInt { UInt(pthread_self()) }

/// What the threads of an environment share. Guarded by the environment's monitor.
///
/// Every use of the memory map by a thread holds a slot here for as long as it lasts, the writer
/// apart, so that the map is moved and the files are closed only when nobody looks at them.
struct EnvironmentState {
  /// One user of the map.
  struct Slot {
    /// A read transaction, kept reset between uses; nil where none was made yet.
    var transaction: OpaquePointer?
    /// The thread that took the slot; 0 when it is idle.
    var thread: UInt = 0
    /// Held by an owned `ReadTransaction`, not by a closure.
    var isOwned = false
  }

  /// `MDB_env`; nil once the files are closed.
  var environment: OpaquePointer?
  /// Set by `close()`: nothing new begins.
  var isClosing = false
  /// Why durability is unknown, from the first failure that made it so.
  var poison: EmbeddingError?

  var slots: [Slot] = []
  /// The indices of idle slots.
  var idle: [Int] = []
  /// The slots in use, and those among them that are owned.
  var active = 0
  var owned = 0

  /// The thread that holds the right to write; 0 when nobody does.
  var writer: UInt = 0
  /// Set while the writer waits to move the map: only threads that are inside already may enter.
  var isGateClosed = false
  /// Write transactions since stale readers were last looked for.
  var writesSinceReaderCheck = 0

  /// Idle read transactions beyond this many are given up: each holds one of the reader slots that
  /// all processes share.
  static let idleLimit = 64

  /// Whether `thread` holds a slot. Slow; for the rare paths.
  func holdsSlot(_ thread: UInt) -> Bool {
    active > 0 && slots.contains { $0.thread == thread }
  }

  /// Throws if the environment can no longer be used.
  func checkUsable() throws(EmbeddingError) {
    if let poison {
      throw EmbeddingError(
        .poisoned,
        "an earlier failure left it unknown what is durable: close the database and open it again",
        cause: poison)
    }
    guard !isClosing, environment != nil else {
      throw EmbeddingError(.closed, "the environment is closed: open it again")
    }
  }

  /// Takes an idle slot, or a new one, for `thread`.
  mutating func takeSlot(thread: UInt, isOwned: Bool) -> Int {
    let index: Int
    if let last = idle.popLast() {
      index = last
    } else {
      index = slots.count
      slots.append(Slot())
    }
    slots[index].thread = thread
    slots[index].isOwned = isOwned
    active += 1
    owned += isOwned ? 1 : 0
    return index
  }

  /// Gives a slot back. Gives a transaction to abort where enough are kept already.
  mutating func releaseSlot(_ index: Int) -> OpaquePointer? {
    owned -= slots[index].isOwned ? 1 : 0
    active -= 1
    slots[index].thread = 0
    slots[index].isOwned = false
    idle.append(index)
    guard idle.count > Self.idleLimit else { return nil }
    defer { slots[index].transaction = nil }
    return slots[index].transaction
  }
}

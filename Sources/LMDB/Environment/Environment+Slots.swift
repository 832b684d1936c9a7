import CLMDB
import Glibc
import StorageBase

/// A slot that was taken: the right to use the map until it is given back.
struct TakenSlot {
  var index: Int
  var environment: OpaquePointer
  /// The read transaction of earlier uses, reset; nil where the slot has none.
  var transaction: OpaquePointer?
}

extension Environment {
  /// Takes a slot, waiting while the map is being moved.
  func takeSlot(isOwned: Bool = false) throws(EmbeddingError) -> TakenSlot {
    try checkProcess()
    let thread = currentThread
    let taken = try monitor.wait { (state) throws(EmbeddingError) -> TakenSlot? in
      try state.checkUsable()
      // A thread that is inside already must not wait: the gate may be waiting for it.
      if state.isGateClosed, state.writer != thread, !state.holdsSlot(thread) { return nil }
      let index = state.takeSlot(thread: thread, isOwned: isOwned)
      return TakenSlot(
        index: index, environment: state.environment!,
        transaction: state.slots[index].transaction)
    }
    return taken!
  }

  /// Gives a slot back; the last one out finishes a `close()`.
  func releaseSlot(_ index: Int) {
    // In a forked child the slots, and the reader table that a reset writes, are the parent's.
    guard getpid() == process else { return }
    let (mustWake, mustClose) = monitor.withLock { state in
      // With the lock held, since a `close()` may follow at once.
      if let surplus = state.releaseSlot(index) { mdb_txn_abort(surplus) }
      return (
        state.isGateClosed || state.isClosing,
        state.isClosing && state.active == 0 && state.writer == 0
      )
    }
    if mustWake { monitor.broadcast() }
    if mustClose { closeFiles() }
  }

  /// Runs `body` with the environment, which stays open and in place for as long.
  func visit<R>(
    _ body: (OpaquePointer) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    let slot = try takeSlot()
    defer { releaseSlot(slot.index) }
    return try body(slot.environment)
  }

  /// Takes the right to write, waiting for the thread that has it.
  func takeWriter(_ doing: String) throws(EmbeddingError) -> OpaquePointer {
    try checkProcess()
    let thread = currentThread
    let environment = try monitor.wait { (state) throws(EmbeddingError) -> OpaquePointer? in
      try state.checkUsable()
      guard state.writer != thread else {
        throw EmbeddingError(
          .reentrancy,
          "\(doing) inside a write transaction of the same thread: use the transaction at hand, or "
            + "wait until it has ended")
      }
      if state.writer == 0 {
        state.writer = thread
        return state.environment!
      }
      // The writer waits for the readers to leave, and this thread is one of them.
      guard !(state.isGateClosed && state.holdsSlot(thread)) else {
        throw GatePurpose.moveMap.heldByThisThread
      }
      return nil
    }
    return environment!
  }

  /// Gives up the right to write.
  func releaseWriter() {
    let mustClose = monitor.withLock { state in
      state.writer = 0
      return state.isClosing && state.active == 0
    }
    monitor.broadcast()
    if mustClose { closeFiles() }
  }

  /// Marks the environment as of unknown durability: every later call throws `.poisoned`.
  func poison(_ error: EmbeddingError) {
    monitor.withLock { state in
      if state.poison == nil { state.poison = error }
    }
    monitor.broadcast()
  }
}

import CLMDB
package import StorageBase

extension Environment {
  /// Closes the environment: later calls throw `.closed`.
  ///
  /// Waits for the closures that run in other threads. Owned read transactions may live on; the
  /// last one to end closes the files, and until then the directory cannot be opened again. Throws
  /// `.reentrancy` inside `read` or `write`. Closing twice is harmless.
  package func close() throws(EmbeddingError) {
    try checkProcess()
    let thread = currentThread
    try monitor.locked { (state) throws(EmbeddingError) in
      let isInside = state.slots.contains { $0.thread == thread && !$0.isOwned }
      guard state.writer != thread, !isInside else {
        throw EmbeddingError(
          .reentrancy, "close() was called inside a transaction of the same thread: end it first")
      }
      state.isClosing = true
    }
    monitor.broadcast()
    let mayClose: Bool? = try monitor.wait { (state) throws(EmbeddingError) -> Bool? in
      state.active == state.owned && state.writer == 0 ? state.active == 0 : nil
    }
    if mayClose == true { closeFiles() }
  }

  /// Closes the files, once. No transaction is open, and none can begin.
  func closeFiles() {
    let environment = monitor.withLock { state in
      defer { state.environment = nil }
      guard let environment = state.environment else { return nil as OpaquePointer? }
      for slot in state.slots {
        if let transaction = slot.transaction { mdb_txn_abort(transaction) }
      }
      state.slots = []
      state.idle = []
      return environment
    }
    guard let environment else { return }
    mdb_env_close(environment)
    EnvironmentRegistry.release(registryKey)
  }
}

import Synchronization

/// Where tests have the system refuse threads. Off, it costs one relaxed load a thread.
///
/// A refusal holds for the task (or thread) that runs the body.
package enum ThreadFaults {
  @TaskLocal private static var areRefused = false
  private static let armed = Atomic<Int>(0)

  /// Runs `body`, which gets no threads.
  package static func refuse<R>(_ body: () throws -> R) rethrows -> R {
    armed.add(1, ordering: .relaxed)
    defer { armed.subtract(1, ordering: .relaxed) }
    return try $areRefused.withValue(true) { try body() }
  }

  /// Whether the next thread is to be refused.
  static var isNextRefused: Bool { armed.load(ordering: .relaxed) != 0 && areRefused }
}

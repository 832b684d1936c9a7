import Synchronization

/// A test's plan for file I/O that goes wrong, and a count of the calls made under it.
///
/// Calls are numbered from 0 in the order in which they are made. A plan that fails no call counts
/// them, so that a test can run its work once to learn the number, and then once for each call.
package final class FaultPlan: Sendable {
  /// The number of the first call to fail, or nil to fail none.
  let failingCall: Int?
  /// The error number of the failing calls.
  let errno: Int32
  /// Whether every call after `failingCall` fails too, as on a disk that is full.
  let persists: Bool
  /// The most bytes that one read or write moves: partial transfers are not errors.
  let maximumTransfer: Int?
  private let made = Atomic<Int>(0)

  package init(
    failingCall: Int? = nil, errno: Int32 = 5, persists: Bool = false, maximumTransfer: Int? = nil
  ) {
    self.failingCall = failingCall
    self.errno = errno
    self.persists = persists
    self.maximumTransfer = maximumTransfer
  }

  /// The number of calls made under the plan so far.
  package var calls: Int { made.load(ordering: .relaxed) }

  /// Counts one call; its error number if it has to fail.
  func count() -> Int32? {
    let number = made.wrappingAdd(1, ordering: .relaxed).oldValue
    guard let failingCall else { return nil }
    return number == failingCall || (persists && number > failingCall) ? errno : nil
  }
}

/// Where tests make file I/O fail. Off, it costs one relaxed load a system call.
///
/// A plan holds for the task (or thread) that runs the body. Work that the body hands to threads of
/// its own must hand them `FileFaults.plan` too.
package enum FileFaults {
  /// The plan in force, if any.
  @TaskLocal package static var plan: FaultPlan?

  private static let armed = Atomic<Int>(0)

  /// Runs `body` with its file I/O under `plan`.
  package static func run<R>(_ plan: FaultPlan, _ body: () throws -> R) rethrows -> R {
    armed.add(1, ordering: .relaxed)
    defer { armed.subtract(1, ordering: .relaxed) }
    return try $plan.withValue(plan) { try body() }
  }

  /// The error number with which the next call has to fail, or nil to make it.
  static func next() -> Int32? {
    guard armed.load(ordering: .relaxed) != 0 else { return nil }
    return plan?.count()
  }

  /// `count`, or less if a plan limits transfers.
  static func limit(_ count: Int) -> Int {
    guard armed.load(ordering: .relaxed) != 0, let maximum = plan?.maximumTransfer else {
      return count
    }
    return min(count, maximum)
  }
}

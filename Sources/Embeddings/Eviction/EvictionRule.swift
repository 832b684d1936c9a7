import StorageBase

/// Which rows of a table go: those that any of its criteria takes.
///
///     // Not trained for 10,000 steps, or seen only once.
///     let stale = EvictionRule.olderThan(steps: 10_000).or(.seenFewerThan(2))
///     // The same, and then the least frequent, until a million rows are left.
///     let bounded = stale.or(.keeping(rows: 1_000_000, .mostFrequent))
///
/// A target number of rows comes last: of the rows that no other criterion takes, the best stay, so
/// that exactly that many are left where there were enough.
public struct EvictionRule: Sendable, Hashable {
  /// Which rows a target number keeps first. Ties are decided by the other of the two, and then by
  /// the id (the least number, or the least XXH3 of a byte string): never by the order of rows.
  public enum Order: String, Sendable, Hashable, CaseIterable {
    /// The rows that were updated last.
    case newest
    /// The rows of the highest frequency.
    case mostFrequent
  }

  /// Takes rows that were last updated more than so many steps ago: `step - lastStep > stepsToLive`.
  public var stepsToLive: Int64?
  /// Takes rows of a lower frequency.
  public var minimumFrequency: UInt64?
  /// Takes rows whose vector has half its squared norm below this: `1/2 * sum(w^2) < threshold`.
  public var normThreshold: Float?
  /// The most rows to keep, by each order; the most frequent are chosen first.
  public private(set) var targets: [Order: Int] = [:]

  private init() {}

  /// The rule that takes nothing.
  public static let nothing = EvictionRule()

  /// Takes rows whose last update lies more than `steps` steps back.
  ///
  /// Steps are counted from that of the database, or of the commit at which a policy runs. A row that
  /// was never updated (looked up for training, or imported without steps) has a last step of 0.
  public static func olderThan(steps: Int64) -> EvictionRule {
    var rule = EvictionRule()
    rule.stepsToLive = steps
    return rule
  }

  /// Takes rows seen fewer than `frequency` times.
  public static func seenFewerThan(_ frequency: UInt64) -> EvictionRule {
    var rule = EvictionRule()
    rule.minimumFrequency = frequency
    return rule
  }

  /// Takes rows of which `1/2 * sum(w^2)`, without the optimizer's slots, is below `threshold`. A
  /// vector that is not finite stays.
  public static func normBelow(_ threshold: Float) -> EvictionRule {
    var rule = EvictionRule()
    rule.normThreshold = threshold
    return rule
  }

  /// Takes all but the first `rows` rows in an order.
  public static func keeping(rows: Int, _ order: Order) -> EvictionRule {
    var rule = EvictionRule()
    rule.targets[order] = rows
    return rule
  }

  /// The rule that takes what either takes: of two values of one criterion, the stricter counts.
  public func or(_ other: EvictionRule) -> EvictionRule {
    var both = self
    both.stepsToLive = stricter(stepsToLive, other.stepsToLive, min)
    both.minimumFrequency = stricter(minimumFrequency, other.minimumFrequency, max)
    both.normThreshold = stricter(normThreshold, other.normThreshold, max)
    both.targets.merge(other.targets) { min($0, $1) }
    return both
  }

  private func stricter<T>(_ mine: T?, _ theirs: T?, _ choose: (T, T) -> T) -> T? {
    guard let mine, let theirs else { return mine ?? theirs }
    return choose(mine, theirs)
  }

  func validate() throws(EmbeddingError) {
    if let stepsToLive, stepsToLive < 0 {
      throw invalid("rows are to live for \(stepsToLive) steps; 0 or more are possible")
    }
    if let normThreshold, !(normThreshold >= 0 && normThreshold.isFinite) {
      throw invalid("the norm is compared with \(normThreshold); it must be a number, 0 or more")
    }
    for (_, rows) in targets where rows < 0 {
      throw invalid("\(rows) rows are to be kept; 0 or more are possible")
    }
  }

  private func invalid(_ what: String) -> EmbeddingError {
    EmbeddingError(.invalidArgument, "An eviction rule cannot be used: \(what).")
  }
}

extension EvictionRule: CustomStringConvertible {
  /// The rule in words, such as `older than 100 steps, or seen fewer than 2 times`.
  public var description: String {
    var parts: [String] = []
    if let stepsToLive { parts.append("older than \(stepsToLive) steps") }
    if let minimumFrequency { parts.append("seen fewer than \(minimumFrequency) times") }
    if let normThreshold { parts.append("half squared norm below \(normThreshold)") }
    if let rows = targets[.mostFrequent] { parts.append("all but the \(rows) most frequent") }
    if let rows = targets[.newest] { parts.append("all but the \(rows) newest") }
    return parts.isEmpty ? "none" : parts.joined(separator: ", or ")
  }
}

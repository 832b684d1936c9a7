import ArgumentParser
import Embeddings

/// Which rows go.
struct EvictionArguments: ParsableArguments {
  /// Which rows `--keep` keeps.
  enum Order: String, ExpressibleByArgument, CaseIterable {
    case newest, frequency
  }

  @Option(help: "Evict rows last updated more than so many steps ago.")
  var olderThan: Int64?
  @Option(help: "Evict rows seen fewer than so many times.")
  var fewerThan: UInt64?
  @Option(help: "Evict rows of whose vector half the squared norm is below this.")
  var normBelow: Float?
  @Option(help: "Evict rows until so many are left.")
  var keep: Int?
  @Option(help: "What --keep keeps: the newest rows, or those of the highest frequency.")
  var by: Order?

  /// Whether any criterion was given.
  var isGiven: Bool {
    olderThan != nil || fewerThan != nil || normBelow != nil || keep != nil
  }

  func validate() throws {
    guard (keep == nil) == (by == nil) else {
      throw ValidationError(
        keep == nil
          ? "--by says which rows --keep keeps: give both."
          : "Say which rows to keep: --by newest or --by frequency.")
    }
    if let olderThan, olderThan < 0 { throw ValidationError("--older-than is at least 0.") }
    if let normBelow, !(normBelow >= 0 && normBelow.isFinite) {
      throw ValidationError("--norm-below is a number of at least 0.")
    }
    if let keep, keep < 0 { throw ValidationError("--keep is at least 0.") }
  }

  var rule: EvictionRule {
    var rule = EvictionRule.nothing
    if let olderThan { rule = rule.or(.olderThan(steps: olderThan)) }
    if let fewerThan { rule = rule.or(.seenFewerThan(fewerThan)) }
    if let normBelow { rule = rule.or(.normBelow(normBelow)) }
    if let keep, let by {
      rule = rule.or(.keeping(rows: keep, by == .newest ? .newest : .mostFrequent))
    }
    return rule
  }
}

/// Which rows go by themselves, and when.
struct PolicyArguments: ParsableArguments {
  @Option(help: "Evict by itself, at the first commit so many steps after the last time.")
  var evictEvery: Int64?
  @OptionGroup var which: EvictionArguments
  @Option(help: "Multiply all frequencies with this, 0 to 1, before each eviction.")
  var decay: Double?

  func validate() throws {
    if evictEvery == nil, which.isGiven || decay != nil {
      throw ValidationError("Say how often to evict: --evict-every STEPS.")
    }
    if let evictEvery {
      guard evictEvery > 0 else { throw ValidationError("--evict-every is 1 or more.") }
      guard which.isGiven || decay != nil else {
        throw ValidationError(
          "Say which rows to evict: --older-than, --fewer-than, --norm-below or --keep; or give "
            + "--decay.")
      }
    }
    if let decay, !(0...1).contains(decay) { throw ValidationError("--decay is 0 to 1.") }
  }

  /// The policy; nil where none was asked for.
  var policy: EvictionPolicy? {
    evictEvery.map {
      EvictionPolicy(which.isGiven ? which.rule : nil, everySteps: $0, frequencyDecay: decay)
    }
  }
}

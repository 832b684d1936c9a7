import StorageBase

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Admission by chance, without memory: Monolith's `InsertedIntoHashTableEqualProbability`
/// (`probabilistic_filter.cc`).
struct ProbabilisticAdmission: Sendable {
  /// The logarithm of the probability that one sighting does not admit.
  private let logMiss: Double

  /// - Parameter threshold: the sightings after which 95 of 100 ids are admitted.
  init(threshold: Int) { logMiss = log(0.05) / Double(threshold) }

  /// The probability that `times` occurrences in a batch admit an id.
  func probability(times: UInt32) -> Double { -expm1(Double(times) * logMiss) }

  /// Whether an id that occurs `times` in a batch is admitted: a function of its arguments alone.
  ///
  /// - Parameters:
  ///   - hash: the hash of the id.
  ///   - draw: 64 bits that are others for each batch.
  func admits(_ hash: UInt64, times: UInt32, draw: UInt64) -> Bool {
    let uniform = Double(mix64(mix64(draw &+ golden) ^ hash) >> 11) * 0x1p-53
    return uniform < probability(times: times)
  }
}

import StorageBase
import TestSupport
import Testing

@testable import Embeddings

@Suite struct AdmissionTests {
  static let kinds: [Admission] = [
    .none, .bloomFilter(expectedIDs: 1_234_567_891), .counter(threshold: 7),
    .countingBloomFilter(threshold: 65_535, expectedIDs: 3, falsePositiveRate: 0.1),
    .probabilistic(threshold: 12),
  ]

  @Test(arguments: kinds) func whatIsStoredReadsBackTheSame(_ admission: Admission) throws {
    var writer = RecordWriter()
    admission.write(to: &writer)
    let stored = RecordWriter.seal(writer.bytes, key: "test")
    let read = try stored.withBytes { (bytes) throws(EmbeddingError) -> Admission in
      var reader = try RecordReader(bytes, name: "test")
      return try Admission(&reader)
    }
    #expect(read == admission)
    #expect(!admission.summary.contains("\n"))
    #expect(admission.summary.hasPrefix(admission.name))
  }

  @Test(
    arguments: [
      .counter(threshold: 0), .counter(threshold: -1), .probabilistic(threshold: 0),
      .countingBloomFilter(threshold: 65_536, expectedIDs: 10), .bloomFilter(expectedIDs: 0),
      .bloomFilter(expectedIDs: 1 << 40), .bloomFilter(expectedIDs: 10, falsePositiveRate: 0),
      .bloomFilter(expectedIDs: 10, falsePositiveRate: .nan),
      .bloomFilter(expectedIDs: 10, falsePositiveRate: 0.9),
    ] as [Admission])
  func whatCannotBeIsRefused(_ admission: Admission) {
    #expect(throws: EmbeddingError.self) { try admission.validate() }
  }

  @Test(arguments: kinds) func whatCanBeIsTaken(_ admission: Admission) throws {
    try admission.validate()
  }

  @Test func kindsWithoutStateHaveNoFilter() {
    #expect(AdmissionFilter(.none) == nil)
    #expect(AdmissionFilter(.probabilistic(threshold: 3)) == nil)
  }

  @Test(arguments: [1, 3, 20]) func chanceAdmitsNineteenOfTwentyAtTheThreshold(_ threshold: Int) {
    let admission = ProbabilisticAdmission(threshold: threshold)
    let ids = 100_000
    var admitted = 0
    for id in 0..<UInt64(ids) {
      let isAdmitted = (0..<UInt64(threshold)).contains {
        admission.admits(RowKey.hash(id), times: 1, draw: $0)
      }
      if isAdmitted { admitted += 1 }
    }
    #expect(abs(Double(admitted) / Double(ids) - 0.95) < 0.004)
    let atOnce = (0..<UInt64(ids)).count {
      admission.admits(RowKey.hash($0), times: UInt32(threshold), draw: 99)
    }
    #expect(abs(Double(atOnce) / Double(ids) - 0.95) < 0.004)
    let once = (0..<UInt64(ids)).count { admission.admits(RowKey.hash($0), times: 1, draw: 5) }
    #expect(abs(Double(once) / Double(ids) - admission.probability(times: 1)) < 0.006)
  }

  @Test func chanceIsAFunctionOfItsArguments() {
    let admission = ProbabilisticAdmission(threshold: 4)
    for id in 0..<1000 as Range<UInt64> {
      let hash = RowKey.hash(id)
      #expect(
        admission.admits(hash, times: 2, draw: 7) == admission.admits(hash, times: 2, draw: 7))
    }
  }
}

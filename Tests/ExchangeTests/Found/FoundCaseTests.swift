import StorageBase
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// What the fuzzers found once, kept for good. See `Tests/Fuzz`.
@Suite struct FoundCaseTests {
  private static let directory = "Fixtures/found"

  private static func names() -> [String] { [] }
}

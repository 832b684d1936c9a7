import TestSupport
import Testing

/// Random operations against a plain dictionary.
///
/// An operation is one call with a batch of up to 60 ids. An ordinary run makes 4,000; a million, in
/// some minutes, with
///
///     EMBEDDING_OPERATIONS=1000000 swift test -c release -Xswiftc -enable-testing --filter Model
///
/// `EMBEDDING_SEED` repeats a run.
@Suite struct ModelTests {
  @Test(arguments: [ModelRun.Kind.allAdmitted, .counted, .onProbation, .overflowing])
  func randomOperationsMatchADictionary(_ kind: ModelRun.Kind) throws {
    let operations = testSetting("EMBEDDING_OPERATIONS", default: 4_000)
    let seed = testSetting("EMBEDDING_SEED", default: 2026)
    print("model test, \(kind): EMBEDDING_SEED=\(seed) EMBEDDING_OPERATIONS=\(operations)")
    // A fresh database now and then, so that small and growing tables come up often.
    let perRun = 50_000
    var done = 0
    var run = 0
    while done < operations {
      let model = try ModelRun(seed: seed + run, kind)
      let count = min(perRun, operations - done)
      for i in 0..<count {
        do {
          try model.operate()
        } catch {
          Issue.record("EMBEDDING_SEED=\(seed + run), operation \(i): \(error)")
          return
        }
      }
      try model.finish()
      if run == 0 { print("model test, \(kind):", model.tally.sorted { $0.key < $1.key }) }
      done += count
      run += 1
    }
  }
}

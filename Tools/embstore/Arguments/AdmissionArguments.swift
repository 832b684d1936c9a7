public import ArgumentParser
public import Embeddings

/// Which ids get a row of their own, and when.
struct AdmissionArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Which ids get a row: none (each), bloom:IDS[,RATE] (on the second sighting), "
        + "counting-bloom:N,IDS[,RATE] (on the N-th), counter:N (exactly), probabilistic:N. IDS is "
        + "the number of ids expected, RATE the part of them admitted early (0.01).",
      valueName: "filter"),
    completion: .list(["none", "bloom:", "counting-bloom:", "counter:", "probabilistic:"]),
    transform: parseAdmission)
  var admission: Admission = .none

  @Option(help: "Keep rows in memory only until they were seen so often.")
  var cutoff: UInt64 = 0

  @Option(help: "Rows that ids without one of their own share.")
  var sharedRows = 0

  @Option(
    help: ArgumentHelp(
      "What counts as a sighting: each occurrence in a batch, each batch (updates), or what the "
        + "table's kind suggests.", valueName: "what"))
  var counting: FrequencyCounting = .automatic

  /// Writes what was given into a configuration.
  func apply(to configuration: inout TableConfiguration) {
    configuration.admission = admission
    configuration.cutoff = cutoff
    configuration.sharedRows = sharedRows
    configuration.counting = counting
  }
}

@Sendable
private func parseAdmission(_ text: String) throws -> Admission {
  let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
  let name = String(parts[0])
  let fields = parts.count > 1 ? parts[1].split(separator: ",").map(String.init) : []
  func refused(_ what: String) -> ValidationError {
    ValidationError("'\(text)' is not an admission filter: \(what)")
  }
  func whole(_ i: Int, _ what: String) throws -> Int {
    guard fields.indices.contains(i), let value = Int(fields[i]) else {
      throw refused("\(name) needs \(what), a whole number, such as '\(example(name))'.")
    }
    return value
  }
  func rate(_ i: Int) throws -> Double {
    guard fields.count <= i + 1 else { throw refused("such as '\(example(name))'.") }
    guard fields.count == i + 1 else { return 0.01 }
    guard let value = Double(fields[i]) else {
      throw refused("'\(fields[i])' is no rate, such as 0.01.")
    }
    return value
  }
  let admission: Admission
  switch name {
  case "none": admission = .none
  case "bloom":
    admission = .bloomFilter(
      expectedIDs: try whole(0, "the number of ids expected"), falsePositiveRate: try rate(1))
  case "counting-bloom":
    admission = .countingBloomFilter(
      threshold: try whole(0, "how often an id has to be seen"),
      expectedIDs: try whole(1, "the number of ids expected"), falsePositiveRate: try rate(2))
  case "counter":
    admission = .counter(threshold: try whole(0, "how often an id has to be seen"))
  case "probabilistic":
    admission = .probabilistic(threshold: try whole(0, "how often an id has to be seen"))
  default:
    throw refused(
      "there are none, bloom:IDS[,RATE], counting-bloom:N,IDS[,RATE], counter:N, probabilistic:N.")
  }
  do { try admission.validate() } catch { throw refused(error.message) }
  return admission
}

private func example(_ name: String) -> String {
  switch name {
  case "bloom": "bloom:100000000"
  case "counting-bloom": "counting-bloom:5,100000000"
  default: "\(name):5"
  }
}

extension FrequencyCounting: ExpressibleByArgument {
  private static let names: [(String, FrequencyCounting)] = [
    ("automatic", .automatic), ("occurrences", .occurrences), ("updates", .updates),
  ]

  /// The way of counting of that name.
  public init?(argument: String) {
    guard let found = Self.names.first(where: { $0.0 == argument }) else { return nil }
    self = found.1
  }

  /// The name.
  public var defaultValueDescription: String {
    Self.names.first { $0.1 == self }?.0 ?? "none"
  }
  /// The names.
  public static var allValueStrings: [String] { names.map(\.0) }
  /// The names, to complete.
  public static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}

/// What a check of a whole database found.
public struct VerificationReport: Sendable {
  /// One damaged thing.
  public struct Problem: Sendable, Hashable, CustomStringConvertible {
    /// The kinds of damage. New ones may be added; switch over them with a default.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
      /// A record does not match its checksum or contradicts itself, or nobody knows it.
      case record
      /// A tree of a table is missing or cannot be walked.
      case tree
      /// A tree belongs to no table.
      case orphanTree
      /// A block is missing, of a wrong size, or does not match its checksum.
      case block
      /// A block lies beyond the rows of its table.
      case strayBlock
      /// The key of a row does not lead back to the row.
      case missingID
      /// An id leads to no row, or stands where it is not looked for; or a page of ids is damaged.
      case strayID
      /// The numbers of rows, ids or blocks differ, or frequencies do not add up.
      case count
      /// What is kept for deltas (change index, log of commits, deleted ids) is damaged, or
      /// contradicts the rows.
      case history
      /// The admission filter is damaged. Rows are not: lookups go on, updates wait for
      /// ``EmbeddingTable/resetAdmissionFilter()``.
      case filter
    }

    /// What kind of damage it is.
    public var kind: Kind
    /// The table, where it is that of one.
    public var table: String?
    /// What was found and where, for people.
    public var message: String

    /// The table and the message.
    public var description: String { table.map { "table \($0): \(message)" } ?? message }
  }

  /// How many problems are described; more are only counted.
  public static let describedProblems = 100

  /// The first problems found, ``describedProblems`` at most.
  public private(set) var problems: [Problem] = []
  /// All problems by kind.
  public private(set) var counts: [Problem.Kind: Int] = [:]
  /// Rows with NaN or infinity in their vector or slots: no damage of the store, but of the model.
  public internal(set) var nonFiniteRows = 0
  /// Tables looked at.
  public internal(set) var tables = 0
  /// Blocks that could be read.
  public internal(set) var blocks = 0
  /// Rows in them.
  public internal(set) var rows = 0

  /// Whether no damage was found; ``nonFiniteRows`` do not count as such.
  public var isIntact: Bool { counts.isEmpty }
  /// The number of problems found.
  public var problemCount: Int { counts.values.reduce(0, +) }

  mutating func note(_ kind: Problem.Kind, _ table: String?, _ message: String) {
    counts[kind, default: 0] += 1
    if problems.count < Self.describedProblems {
      problems.append(Problem(kind: kind, table: table, message: message))
    }
  }
}

/// How far a check is, for a progress bar.
public struct VerificationProgress: Sendable, Hashable {
  /// The table being checked.
  public var table: String
  /// Its rows checked so far.
  public var rows: Int
  /// All its rows.
  public var totalRows: Int
}

import Embeddings
import Glibc

/// The exit codes, those of `sysexits.h` where it has one.
enum Exit {
  static let notFoundOrDamaged: Int32 = 1
  static let usage: Int32 = 64
  static let data: Int32 = 65
  static let exists: Int32 = 73
  static let io: Int32 = 74
  static let busy: Int32 = 75
  /// What a shell reports of a program that SIGPIPE ended.
  static let brokenPipe: Int32 = 128 + SIGPIPE

  /// The table in the help.
  static let help = """
    EXIT CODES:
      0   done
      1   a database, table, file or id was not found, or damage was found
      64  the command line makes no sense
      65  an input file is malformed, or does not fit the table
      73  what was to be created exists already
      74  the system refused to read or write (disk full, permissions)
      75  the database is in use by another process; try again later
    """
}

extension EmbeddingError {
  /// The exit code that tells what went wrong.
  var exitCode: Int32 {
    switch code {
    case .notFound, .corruption: Exit.notFoundOrDamaged
    case .invalidArgument, .invalidConfiguration: Exit.usage
    case .malformedInput, .unsupportedFormat, .configurationMismatch: Exit.data
    case .alreadyExists: Exit.exists
    case .environmentInUse, .readersFull: Exit.busy
    default: isBrokenPipe ? Exit.brokenPipe : Exit.io
    }
  }

  /// Whether the reader of a pipe went away, as `head` does.
  var isBrokenPipe: Bool { (cause as? SystemErrno)?.rawValue == EPIPE }
}

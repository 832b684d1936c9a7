/// The error that every throwing function of this library throws.
///
/// `code` is for programs, `message` for people: it says what happened, to which values, and what
/// to do about it. Where another error lies beneath (an LMDB code, an `errno`), `cause` carries it.
public struct EmbeddingError: Error, Sendable, CustomStringConvertible {
  /// What kind of thing went wrong. New codes may be added; switch over them with a default.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    enum Raw: String, Sendable {
      case invalidArgument, invalidConfiguration, configurationMismatch, notFound, alreadyExists
      case malformedInput, corruption, unsupportedFormat
      case readOnly, stepRefused, budgetTooSmall
      case io, diskFull, poisoned, mapFull, readersFull, reentrancy, forked, environmentInUse
      case unsupportedFileSystem, closed, cancelled
    }
    let raw: Raw

    /// A value handed over by the caller cannot be used.
    public static let invalidArgument = Code(raw: .invalidArgument)
    /// A table or database configuration contradicts itself or a limit.
    public static let invalidConfiguration = Code(raw: .invalidConfiguration)
    /// What is stored was made with another configuration than the one asked for.
    public static let configurationMismatch = Code(raw: .configurationMismatch)
    /// A file, table or id that must exist does not.
    public static let notFound = Code(raw: .notFound)
    /// Something that must not exist yet does.
    public static let alreadyExists = Code(raw: .alreadyExists)
    /// An input file breaks the rules of its format; the message names the line or byte offset.
    public static let malformedInput = Code(raw: .malformedInput)
    /// What this library stored is not what it reads back.
    public static let corruption = Code(raw: .corruption)
    /// The file is of a format, or of a version of one, that is not read here.
    public static let unsupportedFormat = Code(raw: .unsupportedFormat)
    /// The database was opened read-only, and the call would change it.
    public static let readOnly = Code(raw: .readOnly)
    /// A commit named a step lower than the last committed one.
    public static let stepRefused = Code(raw: .stepRefused)
    /// The memory budget cannot hold what one call needs.
    public static let budgetTooSmall = Code(raw: .budgetTooSmall)
    /// The operating system refused a read, write or sync.
    public static let io = Code(raw: .io)
    /// The file system has no room left. What was committed is intact.
    public static let diskFull = Code(raw: .diskFull)
    /// An earlier failure left it unknown what is durable: close the database and open it again.
    public static let poisoned = Code(raw: .poisoned)
    /// The memory map cannot grow any further.
    public static let mapFull = Code(raw: .mapFull)
    /// All reader slots of the environment are taken.
    public static let readersFull = Code(raw: .readersFull)
    /// A write transaction was begun inside another one on the same thread.
    public static let reentrancy = Code(raw: .reentrancy)
    /// A child process used an environment that its parent opened.
    public static let forked = Code(raw: .forked)
    /// The directory is open in this process already, or locked by another one.
    public static let environmentInUse = Code(raw: .environmentInUse)
    /// The directory lies on a file system whose locks and maps cannot be trusted.
    public static let unsupportedFileSystem = Code(raw: .unsupportedFileSystem)
    /// The database or transaction was closed before the call.
    public static let closed = Code(raw: .closed)
    /// The caller asked for the work to stop.
    public static let cancelled = Code(raw: .cancelled)

    /// The code's name, such as `malformedInput`.
    public var description: String { raw.rawValue }
  }

  /// What kind of thing went wrong.
  public var code: Code
  /// What happened and what to do about it, for people.
  public var message: String
  /// The error beneath this one, where there is one.
  public var cause: (any Error)?

  /// Creates an error; extensions of this library (a backend of your own) may throw it too.
  public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  /// The message, followed by its cause.
  public var description: String {
    guard let cause else { return message }
    return "\(message) (\(cause))"
  }
}

/// An error number of the operating system, as the cause of an ``EmbeddingError``.
public struct SystemErrno: Error, Sendable, CustomStringConvertible {
  /// The value of `errno`.
  public var rawValue: Int32

  /// Wraps a value of `errno`.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The system's text for the number, such as `No such file or directory`.
  public var description: String { String(cString: strerror(rawValue)) }
}

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

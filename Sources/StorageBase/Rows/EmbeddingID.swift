/// One id, held by value: comfortable where single ids are named, printed or compared.
public enum EmbeddingID: Hashable, Sendable {
  /// A 64-bit integer id.
  case int64(Int64)
  /// A byte-string id.
  case bytes([UInt8])

  /// What the id is.
  public var type: IDType {
    switch self {
    case .int64: .int64
    case .bytes: .bytes
    }
  }
}

extension EmbeddingID: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
  /// An Int64 id.
  public init(integerLiteral value: Int64) { self = .int64(value) }

  /// The UTF-8 bytes of `value` as an id.
  public init(stringLiteral value: String) { self = .bytes(Array(value.utf8)) }

  /// The UTF-8 bytes of `string` as an id.
  public init(_ string: String) { self = .bytes(Array(string.utf8)) }
}

extension EmbeddingID: CustomStringConvertible {
  /// The integer in decimal, or the bytes read as UTF-8 (repaired where they are not).
  public var description: String {
    switch self {
    case .int64(let id): String(id)
    case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
    }
  }
}

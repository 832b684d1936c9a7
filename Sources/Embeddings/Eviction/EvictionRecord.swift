import LMDB
import StorageBase

/// The record of a table's evictions, under the key `eviction:` and the table's name in the tree
/// `meta`: the policy, and how far it has come. A table that never had a policy, nor an eviction, has
/// none.
enum EvictionRecord {
  static let prefix = "eviction:"

  static func key(_ name: String) -> String { prefix + name }

  private struct Fields: OptionSet {
    let rawValue: UInt8
    static let policy = Fields(rawValue: 1)
    static let rule = Fields(rawValue: 2)
    static let stepsToLive = Fields(rawValue: 4)
    static let minimumFrequency = Fields(rawValue: 8)
    static let normThreshold = Fields(rawValue: 16)
    static let mostFrequent = Fields(rawValue: 32)
    static let newest = Fields(rawValue: 64)
    static let decay = Fields(rawValue: 128)
  }

  /// The fields; nil where there is nothing to store.
  static func encode(_ table: TableRecord) -> [UInt8]? {
    let policy = table.configuration.eviction
    guard policy != nil || table.evictions != EvictionCounters() else { return nil }
    let rule = policy?.rule
    var fields: Fields = []
    if policy != nil { fields.insert(.policy) }
    if rule != nil { fields.insert(.rule) }
    if rule?.stepsToLive != nil { fields.insert(.stepsToLive) }
    if rule?.minimumFrequency != nil { fields.insert(.minimumFrequency) }
    if rule?.normThreshold != nil { fields.insert(.normThreshold) }
    if rule?.targets[.mostFrequent] != nil { fields.insert(.mostFrequent) }
    if rule?.targets[.newest] != nil { fields.insert(.newest) }
    if policy?.frequencyDecay != nil { fields.insert(.decay) }
    var writer = RecordWriter()
    writer.write(table.number)
    writer.write(fields.rawValue)
    writer.write(table.evictions.lastStep)
    writer.write(table.evictions.evicted)
    writer.write(policy?.everySteps ?? 0)
    writer.write(rule?.stepsToLive ?? 0)
    writer.write(rule?.minimumFrequency ?? 0)
    writer.write(rule?.normThreshold ?? 0)
    writer.write(UInt64(rule?.targets[.mostFrequent] ?? 0))
    writer.write(UInt64(rule?.targets[.newest] ?? 0))
    writer.write((policy?.frequencyDecay ?? 0).bitPattern)
    return writer.bytes
  }

  /// Reads what is stored of a table into its record. A record of another table, which had this name
  /// before, is passed over.
  static func decode(
    _ stored: UnsafeRawBufferPointer, into table: inout TableRecord, name: String
  ) throws(EmbeddingError) {
    var reader = try RecordReader(stored, name: key(name))
    guard try reader.read(UInt32.self) == table.number else { return }
    let fields = Fields(rawValue: try reader.read(UInt8.self))
    table.evictions.lastStep = try reader.read(Int64.self)
    table.evictions.evicted = try reader.read(UInt64.self)
    let everySteps = try reader.read(Int64.self)
    let stepsToLive = try reader.read(Int64.self)
    let minimumFrequency = try reader.read(UInt64.self)
    let normThreshold = try reader.read(Float.self)
    let mostFrequent = try reader.read(UInt64.self)
    let newest = try reader.read(UInt64.self)
    let decay = Double(bitPattern: try reader.read(UInt64.self))
    guard fields.contains(.policy) else { return }
    var rule: EvictionRule?
    func add(_ field: Fields, _ criterion: EvictionRule) {
      if fields.contains(field) { rule = rule?.or(criterion) ?? criterion }
    }
    if fields.contains(.rule) { rule = EvictionRule.nothing }
    add(.stepsToLive, .olderThan(steps: stepsToLive))
    add(.minimumFrequency, .seenFewerThan(minimumFrequency))
    add(.normThreshold, .normBelow(normThreshold))
    add(.mostFrequent, .keeping(rows: Int(clamping: mostFrequent), .mostFrequent))
    add(.newest, .keeping(rows: Int(clamping: newest), .newest))
    table.configuration.eviction = EvictionPolicy(
      rule, everySteps: everySteps, frequencyDecay: fields.contains(.decay) ? decay : nil)
    try table.configuration.eviction?.validate()
  }
}

extension EmbeddingDatabase {
  /// Stores what a table's record says of evictions.
  func putEvictions(
    _ table: TableRecord, name: String, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    if let fields = EvictionRecord.encode(table) {
      return try Self.put(fields, under: EvictionRecord.key(name), in: meta, transaction)
    }
    try deleteEvictions(name, in: transaction)
  }

  /// Removes the record of a table's evictions.
  func deleteEvictions(
    _ name: String, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    _ = try Array(EvictionRecord.key(name).utf8).withBytes { (key) throws(EmbeddingError) in
      try transaction.delete(key, in: meta)
    }
  }
}

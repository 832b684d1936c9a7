import CKernels
import TestSupport

@testable import Embeddings

extension ReferenceTable {
  /// The ids that a rule takes, in the plainest words.
  func taken(by rule: EvictionRule, step: Int64) -> Set<EmbeddingID> {
    var taken: Set<EmbeddingID> = []
    for (id, row) in rows {
      let halfNorm = row.vector.reduce(0.0) { $0 + Double($1) * Double($1) } / 2
      if let steps = rule.stepsToLive, step - row.lastStep > steps { taken.insert(id) }
      if let least = rule.minimumFrequency, row.frequency < least { taken.insert(id) }
      if let norm = rule.normThreshold, halfNorm < Double(norm) { taken.insert(id) }
    }
    for order in [EvictionRule.Order.mostFrequent, .newest] {
      guard let target = rule.targets[order] else { continue }
      let ranked = rows.filter { !taken.contains($0.key) }.sorted { a, b in
        let (f, s) = (
          (a.value.frequency, b.value.frequency), (a.value.lastStep, b.value.lastStep)
        )
        if order == .mostFrequent && f.0 != f.1 { return f.0 > f.1 }
        if s.0 != s.1 { return s.0 > s.1 }
        if f.0 != f.1 { return f.0 > f.1 }
        return treeKey(a.key) < treeKey(b.key)
      }
      for (id, _) in ranked.dropFirst(target) { taken.insert(id) }
    }
    return taken
  }

  private func treeKey(_ id: EmbeddingID) -> UInt64 {
    switch id {
    case .int64(let number): UInt64(bitPattern: number) ^ 1 << 63
    case .bytes(let bytes): bytes.withUnsafeBytes { xxh3($0) }
    }
  }

  /// Deletes the rows that a rule takes, and returns how many there were.
  mutating func evict(_ rule: EvictionRule, step: Int64) -> Int {
    let taken = taken(by: rule, step: step)
    for id in taken { rows[id] = nil }
    return taken.count
  }

  mutating func decayFrequencies(by factor: Double) {
    for id in rows.keys {
      rows[id]!.frequency = UInt64((Double(rows[id]!.frequency) * factor).rounded(.down))
    }
  }
}

extension EvictionRule {
  /// A random rule over tables of about so many rows.
  static func random(rows: Int, _ random: inout SeededGenerator) -> EvictionRule {
    var rule = EvictionRule.nothing
    if random.oneIn(2) { rule = rule.or(.olderThan(steps: .random(in: 0...12, using: &random))) }
    if random.oneIn(2) { rule = rule.or(.seenFewerThan(.random(in: 0...5, using: &random))) }
    if random.oneIn(3) { rule = rule.or(.normBelow(.random(in: 0...1, using: &random))) }
    for order in Order.allCases where random.oneIn(3) {
      rule = rule.or(.keeping(rows: .random(in: 0...rows * 3 / 2, using: &random), order))
    }
    return rule
  }
}

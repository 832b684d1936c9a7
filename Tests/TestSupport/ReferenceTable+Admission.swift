import Embeddings
import StorageBase

/// The life of an id in the plainest words: dictionaries of what is counted, on probation, shared and
/// stored. Filters are exact here.
extension ReferenceTable {
  /// How often an id has to be seen to get a row.
  private var threshold: UInt64 {
    let threshold: UInt64 =
      switch configuration.admission {
      case .none, .probabilistic: 0
      case .bloomFilter: 2
      case .countingBloomFilter(let threshold, _, _), .counter(let threshold): UInt64(threshold)
      }
    return configuration.sharedRows > 0 ? max(threshold, configuration.cutoff) : threshold
  }

  private var hasProbation: Bool { configuration.cutoff > 1 && configuration.sharedRows == 0 }

  private func sharedRow(of id: EmbeddingID) -> Int64? {
    guard configuration.sharedRows > 0 else { return nil }
    let key: UInt64 =
      switch id {
      case .int64(let value): UInt64(bitPattern: value)
      case .bytes(let bytes): bytes.withUnsafeBytes { xxh3($0) }
      }
    return Int64(mix64(key &+ golden) % UInt64(configuration.sharedRows))
  }

  /// What an id without a row of its own reads, and starts with.
  func firstRow(_ id: EmbeddingID) -> Row {
    guard let number = sharedRow(of: id) else { return newRow(id) }
    return sharedRow(number)
  }

  private func sharedRow(_ number: Int64) -> Row {
    if let row = shared[number] { return row }
    var row = newRow(.int64(number))
    row.vector = configuration.initializer.vector(
      dimension: configuration.dimension, seed: configuration.seed &+ 1, id: .int64(number))
    return row
  }

  /// An update, or without gradients a count, where ids have to earn their rows.
  mutating func see(
    _ ids: [EmbeddingID], gradients: [Float]?, step: Int64?, learningRate: Float?,
    counting: FrequencyCounting
  ) {
    let counting = counting == .automatic ? .occurrences : counting
    let rate = learningRate ?? configuration.optimizer.learningRate
    let dimension = configuration.dimension
    func gradient(_ i: Int) -> [Float] {
      gradients.map { Array($0[i * dimension..<(i + 1) * dimension]) } ?? []
    }
    var sums: [EmbeddingID: (sum: [Float], occurrences: UInt64)] = [:]
    for (i, id) in ids.enumerated() {
      if let (sum, occurrences) = sums[id] {
        sums[id] = (zip(sum, gradient(i)).map { $0 + $1 }, occurrences + 1)
      } else {
        sums[id] = (gradient(i), 1)
      }
    }
    // What falls to shared rows is summed in the order of the hashes, in which the store sums it.
    var sharedSums: [Int64: [Float]] = [:]
    var sharers: [(hash: UInt64, position: Int, row: Int64)] = []
    let before = shared
    for (id, (sum, occurrences)) in sums {
      let times: UInt64 =
        switch counting {
        case .automatic, .occurrences: occurrences
        case .updates: 1
        case .none: 0
        }
      var row: Row
      if let own = rows[id] ?? probation[id] {
        row = own
      } else {
        let count = counted[id, default: 0]
        if threshold > 0 { counted[id] = min(count + times, threshold) }
        guard count + times >= threshold else {
          if let number = sharedRow(of: id) {
            for (i, other) in ids.enumerated() where other == id {
              sharers.append((hash(id), i, number))
            }
          }
          continue
        }
        row = sharedRow(of: id).map { before[$0] ?? sharedRow($0) } ?? newRow(id)
        row.frequency = count
        row.lastStep = 0
      }
      if gradients != nil { train(&row, sum, rate) }
      if let step { row.lastStep = step }
      row.frequency += times
      if rows[id] != nil || !hasProbation || row.frequency >= configuration.cutoff {
        rows[id] = row
        probation[id] = nil
      } else {
        probation[id] = row
      }
    }
    for sharer in sharers.sorted(by: { ($0.hash, $0.position) < ($1.hash, $1.position) }) {
      let gradient = gradient(sharer.position)
      sharedSums[sharer.row] =
        sharedSums[sharer.row].map { zip($0, gradient).map { $0 + $1 } } ?? gradient
    }
    for (number, sum) in sharedSums {
      var row = sharedRow(number)
      if gradients != nil { train(&row, sum, rate) }
      shared[number] = row
    }
  }

  private func hash(_ id: EmbeddingID) -> UInt64 {
    switch id {
    case .int64(let value): mix64(UInt64(bitPattern: value) &+ golden)
    case .bytes(let bytes): mix64(bytes.withUnsafeBytes { xxh3($0) } &+ golden)
    }
  }
}

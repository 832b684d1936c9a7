import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// What rows a commit has to write, and in which state, whatever became of the ones before it.
@Suite struct RowTurnsTests {
  /// The states of rows that changed, by id: as dictionaries tell what a cache must know.
  private struct Model {
    var live: [Int64: Float] = [:]
    var dirty: Set<Int64> = []
    var waiting: [Int64: Float]?
    var running: [Int64: Float]?
    /// Rows of `running` that have changed since they were fixed.
    var changed: Set<Int64> = []

    var held: Set<Int64> { dirty.union((waiting ?? [:]).keys).union((running ?? [:]).keys) }

    mutating func write(_ id: Int64, _ value: Float) {
      live[id] = value
      dirty.insert(id)
      if running?[id] != nil { changed.insert(id) }
    }

    mutating func fix() {
      var fixed = waiting ?? [:]
      for id in dirty { fixed[id] = live[id] }
      waiting = fixed
      dirty = []
    }

    mutating func begin() { (running, waiting, changed) = (waiting, nil, changedSinceFixed) }

    private var changedSinceFixed: Set<Int64> { dirty.intersection((waiting ?? [:]).keys) }

    mutating func giveUp() {
      waiting = running?.merging(waiting ?? [:]) { $1 }
      running = nil
    }

    mutating func takeBack(_ rows: [Int64: Float]?) { dirty.formUnion((rows ?? [:]).keys) }
  }

  @Test(arguments: [1, 2, 3]) func eachRowIsWrittenOnceAsItWasFixed(seed: UInt64) throws {
    let budget = CacheBudget(bytes: 8 << 20)
    let cache = RowCache(
      BlockLayout(dimension: 5, slotCount: 0), rowCount: 0, idType: .int64, budget: budget)
    var random = SeededGenerator(seed: seed)
    var model = Model()
    var mostTurns = 0
    for operation in 0..<1200 {
      switch Int.random(in: 0..<20, using: &random) {
      case 0..<9:
        // Often the same few rows, so that most entries of a list are of rows that changed again.
        let first = random.oneIn(3) ? Int64.random(in: 0..<6000, using: &random) : 0
        for id in first..<first + Int64.random(in: 0..<300, using: &random) {
          cache.write(id, Float(operation))
          model.write(id, Float(operation))
        }
      case 9..<14:
        cache.fix()
        model.fix()
      case 14 where model.running == nil && model.waiting != nil:
        cache.beginCommit()
        model.begin()
      case 15 where model.running != nil && random.oneIn(2):
        for shard in cache.shards { shard.withRows { $0.takeOverCommit() } }
        model.running = nil
      case 16 where model.running != nil && model.waiting != nil:
        cache.giveUpCommit()
        model.giveUp()
      case 17 where random.oneIn(4):
        for shard in cache.shards { shard.withRows { $0.abandonCommit() } }
        cache.unfix()
        model.takeBack(model.running)
        model.takeBack(model.waiting)
        (model.running, model.waiting) = (nil, nil)
      default: break
      }
      mostTurns = max(mostTurns, cache.shards[0].withRows { $0.waiting.turns.count })
      check(cache, model)
    }
    #expect(mostTurns > 10)
  }

  private func check(_ cache: RowCache, _ model: Model) {
    #expect(cache.dirtyCount == model.dirty.count)
    #expect(cache.heldCount == model.held.count)
    let counts = cache.rowsToCommit
    #expect(counts.waiting == model.waiting?.count ?? 0)
    guard let running = model.running else { return }
    #expect(counts.unchanged == running.count - model.changed.count)
    var written: [Int64: Float] = [:]
    for shard in cache.shards {
      shard.withRows { rows in
        let slots = rows.runningSlots
        #expect(rows.runningCount == slots.count)
        for slot in slots {
          let id = Int64(bitPattern: rows.header(slot).pointee.key)
          let before = written.updateValue(rows.runningState(slot).floats[0], forKey: id)
          #expect(before == nil)
        }
      }
    }
    #expect(written == running)
  }
}

extension RowCache {
  /// Changes the first float of a row without a number, which is made where it is not there.
  func write(_ id: Int64, _ value: Float) {
    let key = RowKey(int64: id)
    shard(ofKey: key.key).withRows { rows in
      let found = rows.find(key)
      let slot = found >= 0 ? found : rows.insert(key, row: RowHeader.noRow, RowCounts())
      rows.markDirty(slot)
      rows.floats(slot)[0] = value
    }
  }
}

extension RowShard {
  /// The slots of the rows that the commit under way writes.
  var runningSlots: [Int] {
    mutating get {
      var slots: [Int] = []
      var place = FixedTurns.Place()
      while forEachRunning(from: &place, { slots.append(Int($0.slot)) }) {}
      return slots
    }
  }

  /// Takes over that the commit under way is durable.
  mutating func takeOverCommit() {
    for slot in runningSlots { markCommitted(slot, number: nil) }
    endCommit()
  }
}

/// Some rows of a table in columns: what import takes and export gives, a batch at a time.
///
/// A reader fills the same batch again and again, so that streaming a table of any size needs the
/// memory of one batch. `slots`, `frequencies` and `lastSteps` are empty where the source has none.
public struct RowBatch: Sendable {
  /// Floats in each vector.
  public let dimension: Int
  /// Floats of optimizer state in each row of `slots`.
  public let slotCount: Int
  /// The ids, `[n]`.
  public var ids: IDColumn
  /// The vectors, row-major `[n, dimension]`.
  public var vectors: [Float] = []
  /// The optimizer slots, row-major `[n, slotCount]`, or empty.
  public var slots: [Float] = []
  /// Updates seen by each row, `[n]`, or empty.
  public var frequencies: [UInt64] = []
  /// The step in which each row was last updated, `[n]`, or empty.
  public var lastSteps: [Int64] = []

  /// An empty batch.
  public init(idType: IDType, dimension: Int, slotCount: Int = 0) {
    self.dimension = dimension
    self.slotCount = slotCount
    ids = IDColumn(type: idType)
  }

  /// The number of rows.
  public var count: Int { ids.count }

  /// Empties the batch, keeping its memory.
  public mutating func removeAll() {
    ids.removeAll()
    vectors.removeAll(keepingCapacity: true)
    slots.removeAll(keepingCapacity: true)
    frequencies.removeAll(keepingCapacity: true)
    lastSteps.removeAll(keepingCapacity: true)
  }
}

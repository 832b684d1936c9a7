/// What a table is. Its name and its configuration identify it: a table that exists is opened only
/// with the configuration that it was created with.
///
///     let words = TableConfiguration(
///       dimension: 64, idType: .bytes,
///       initializer: .uniform(-0.05...0.05), optimizer: .adagrad(learningRate: 0.05))
public struct TableConfiguration: Sendable {
  /// Floats in each vector, 1 to ``maximumDimension``.
  public var dimension: Int
  /// What the ids are.
  public var idType: IDType
  /// Where a row starts: a pure function of `seed` and the id.
  public var initializer: Initializer
  /// The seed of the initializer; the same id starts elsewhere under another seed.
  public var seed: UInt64
  /// What an update does to a row, and the slots that it keeps there.
  ///
  /// Its learning rate is the default of ``EmbeddingStore/update(_:gradients:step:learningRate:counting:)``;
  /// it is not part of the table's identity. Other hyper-parameters are, and change by
  /// ``EmbeddingDatabase/setOptimizer(_:of:)``.
  public var optimizer: any Optimizer
  /// The rows that the database evicts by itself; nil for none. Not part of the table's identity: a
  /// policy given here takes the place of the one that is stored, nil leaves it, and
  /// ``EmbeddingDatabase/setEviction(_:of:)`` sets or removes it.
  public var eviction: EvictionPolicy?
  /// Which ids get a row at all. By default each does when it is first updated.
  ///
  /// Until it has a row, an id reads its initial vector, or a shared row, and what it would have
  /// learned is dropped, or trains the shared row.
  public var admission: Admission = .none
  /// Rows live in memory only, on probation, until their frequency reaches the cutoff; the next commit
  /// then writes them. 0 and 1: every row is written.
  ///
  /// A quarter of the memory for cached rows is theirs; where more come, those that were not used for
  /// the longest time are forgotten, and counted. They are forgotten too when the database is closed.
  /// With shared rows there are no rows on probation: ids are counted up to the cutoff by the
  /// admission filter (by an exact counter, if there is no other), and share rows meanwhile.
  public var cutoff: UInt64 = 0
  /// How many rows are shared by the ids that have none of their own; 0 for no sharing.
  ///
  /// Such an id reads and trains row `hash(id) mod sharedRows` of a table of its own, NAME/shared.
  /// When it gets its own row, that starts as a copy, slots included: adaptive embedding.
  public var sharedRows = 0
  /// How often a batch counts as a sighting of its ids, where a call does not say. `.automatic` stands
  /// for `.occurrences` in a table with an admission filter or a cutoff, which is what DeepRec's
  /// filters count, and else for `.updates`.
  public var counting = FrequencyCounting.automatic

  /// The largest dimension of a table.
  public static let maximumDimension = 8_192
  /// The most optimizer slots that a row may have.
  package static let maximumSlotCount = 4 * maximumDimension

  /// Creates a configuration. Vectors start uniformly in -0.05 to 0.05 by default, as in Keras.
  public init(
    dimension: Int, idType: IDType = .bytes,
    initializer: Initializer = .uniform(-0.05...0.05), seed: UInt64 = 0,
    optimizer: any Optimizer = .adagrad()
  ) {
    self.dimension = dimension
    self.idType = idType
    self.initializer = initializer
    self.seed = seed
    self.optimizer = optimizer
  }

  /// Floats of optimizer state in each row.
  public var slotCount: Int { optimizer.slotCount(dimension: dimension) }

  func validate() throws(EmbeddingError) {
    guard (1...Self.maximumDimension).contains(dimension) else {
      throw EmbeddingError(
        .invalidConfiguration,
        "The dimension is \(dimension); it must be from 1 to \(Self.maximumDimension).")
    }
    guard (0...Self.maximumSlotCount).contains(slotCount) else {
      throw EmbeddingError(
        .invalidConfiguration,
        "Optimizer \(optimizer.name) asks for \(slotCount) slots a row; "
          + "at most \(Self.maximumSlotCount) are possible.")
    }
    try eviction?.validate()
    try validateAdmission()
  }

  /// The first difference to `stored` that matters, with both values, or nil.
  func difference(from stored: TableConfiguration) -> String? {
    func differ<T>(_ what: String, _ mine: T, _ theirs: T) -> String {
      "\(what) \(theirs) is stored, \(mine) was asked for"
    }
    if dimension != stored.dimension { return differ("dimension", dimension, stored.dimension) }
    if idType != stored.idType { return differ("id type", idType, stored.idType) }
    if initializer != stored.initializer {
      return differ("initializer", initializer, stored.initializer)
    }
    if seed != stored.seed { return differ("seed", seed, stored.seed) }
    if optimizer.name != stored.optimizer.name {
      return differ("optimizer", optimizer.name, stored.optimizer.name)
    }
    if slotCount != stored.slotCount {
      return differ("slots a row", slotCount, stored.slotCount)
    }
    let mine = optimizer.summary
    let theirs = stored.optimizer.summary
    if mine != theirs { return differ("optimizer", mine, theirs) }
    if admission != stored.admission {
      return differ("admission", admission.summary, stored.admission.summary)
    }
    if cutoff != stored.cutoff { return differ("cutoff", cutoff, stored.cutoff) }
    if sharedRows != stored.sharedRows {
      return differ("shared rows", sharedRows, stored.sharedRows)
    }
    if counting != stored.counting { return differ("counting", counting, stored.counting) }
    return nil
  }
}

extension Optimizer {
  /// Name and hyper-parameters, such as `adagrad(initialAccumulator: 0.1, epsilon: 1e-07)`.
  package var summary: String {
    let parameters = hyperparameters.map { "\($0.name): \($0.value)" }
    return "\(name)(\(parameters.joined(separator: ", ")))"
  }
}

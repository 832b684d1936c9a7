public import StorageBase

/// What a snapshot is: the table that it was taken of, the commit that it shows, and how its values
/// are stored. It stands in the header of the file.
public struct SnapshotDescription: Sendable, Hashable {
  /// A state of a table that a delta applies to.
  public struct Base: Sendable, Hashable, CustomStringConvertible {
    /// The identity of the state.
    public var identity: SnapshotIdentity
    /// The commit of the state.
    public var point: CommitPoint

    /// Names a state.
    public init(identity: SnapshotIdentity, point: CommitPoint) {
      self.identity = identity
      self.point = point
    }

    /// Such as `0123...ef at step 500`.
    public var description: String { "\(identity) at \(point)" }
  }

  /// The state that the snapshot holds, or that a delta leads to.
  public var identity: SnapshotIdentity
  /// The name of the table.
  public var table: String
  /// What the ids are.
  public var idType: IDType
  /// Floats in each vector.
  public var dimension: Int
  /// Floats of optimizer state in each row of the table.
  public var slotCount: Int
  /// The seed of the initializer.
  public var seed: UInt64
  /// The name of the initializer, such as `uniform`.
  public var initializer: String
  /// The parameters of the initializer, in its order.
  public var initializerParameters: [Hyperparameter]
  /// The name of the optimizer, such as `adagrad`.
  public var optimizer: String
  /// The optimizer's learning rate.
  public var learningRate: Float
  /// The optimizer's other hyper-parameters, in its order.
  public var hyperparameters: [Hyperparameter]
  /// How the values of vectors are stored.
  public var encoding: ValueEncoding
  /// Whether the rows have their optimizer slots; without, they can serve but not be trained on.
  public var includesSlots: Bool
  /// The commit of the state.
  public var point: CommitPoint
  /// The number of commits of the database up to this one.
  public var generation: UInt64
  /// For a delta, the state that it applies to; nil for a full snapshot.
  public var base: Base?
  /// The content of section ``SnapshotSection/life``, of a table whose ids have to earn their rows;
  /// else empty. It stands behind the rows, and is here where the whole file can be looked at.
  package var life: [UInt8] = []

  /// Describes a snapshot.
  public init(
    identity: SnapshotIdentity, table: String, idType: IDType, dimension: Int, slotCount: Int = 0,
    seed: UInt64 = 0, initializer: String, initializerParameters: [Hyperparameter] = [],
    optimizer: String, learningRate: Float, hyperparameters: [Hyperparameter] = [],
    encoding: ValueEncoding = .float32, includesSlots: Bool = true,
    point: CommitPoint = CommitPoint(), generation: UInt64 = 0, base: Base? = nil
  ) {
    self.identity = identity
    self.table = table
    self.idType = idType
    self.dimension = dimension
    self.slotCount = slotCount
    self.seed = seed
    self.initializer = initializer
    self.initializerParameters = initializerParameters
    self.optimizer = optimizer
    self.learningRate = learningRate
    self.hyperparameters = hyperparameters
    self.encoding = encoding
    self.includesSlots = includesSlots
    self.point = point
    self.generation = generation
    self.base = base
  }

  /// Whether the file holds what changed since ``base``, rather than the whole table.
  public var isDelta: Bool { base != nil }

  /// Whether vectors read back differ from those of the table.
  public var isLossy: Bool { encoding.isLossy }

  /// The state that the snapshot holds or leads to.
  public var state: Base { Base(identity: identity, point: point) }

  /// Floats of optimizer state in each row of the file.
  public var storedSlotCount: Int { includesSlots ? slotCount : 0 }
}

public import Snapshots
import StorageBase

extension SnapshotDescription {
  /// What the table was that the snapshot was taken of: admission, cutoff and shared rows too, where
  /// the description is that of a file (``inspectSnapshot(_:)``) or of an export. An optimizer of
  /// somebody's own is only named: the configuration then serves, but does not train.
  ///
  /// - Throws: ``EmbeddingError/Code/invalidConfiguration`` where another version of this library,
  ///   with initializers or optimizers that this one does not know, wrote the file.
  public func configuration() throws(EmbeddingError) -> TableConfiguration {
    var configuration = TableConfiguration(
      dimension: dimension, idType: idType,
      initializer: try Initializer(name: initializer, parameters: initializerParameters),
      seed: seed,
      optimizer: try storedOptimizer(
        name: optimizer, learningRate: learningRate, hyperparameters: hyperparameters,
        slotCount: slotCount))
    if !life.isEmpty { try SnapshotLife(content: life).apply(to: &configuration) }
    try configuration.validate()
    guard configuration.slotCount == slotCount else {
      throw EmbeddingError(
        .invalidConfiguration,
        "The snapshot of \(table) has \(slotCount) slots a row; its optimizer \(optimizer) keeps "
          + "\(configuration.slotCount) here. Read it with the version that wrote it.")
    }
    return configuration
  }

  /// Refuses a snapshot whose rows cannot go on in a table of `configuration`.
  func checkFit(
    _ configuration: TableConfiguration, _ options: SnapshotImportOptions, file: String
  ) throws(EmbeddingError) {
    try refuseDelta(file: file)
    try checkRows(configuration, options, file: file)
  }

  /// Refuses rows that cannot go on in a table of `configuration`.
  func checkRows(
    _ configuration: TableConfiguration, _ options: SnapshotImportOptions, file: String
  ) throws(EmbeddingError) {
    func refuse<T>(_ what: String, _ mine: T, _ theirs: T, _ remedy: String) -> EmbeddingError {
      EmbeddingError(
        .configurationMismatch,
        "\(file) has \(what) \(mine), the table has \(theirs); nothing was imported. \(remedy)")
    }
    guard dimension == configuration.dimension else {
      throw refuse(
        "dimension", dimension, configuration.dimension, "Import it into a table of its dimension.")
    }
    guard idType == configuration.idType else {
      throw refuse(
        "ids of type", idType, configuration.idType, "Import it into a table of its id type.")
    }
    guard !isLossy || options.acceptsLossy else {
      throw EmbeddingError(
        .configurationMismatch,
        "\(file) stores vectors as \(encoding), which is not what was trained; nothing was imported. "
          + "Export with the encoding float32, or accept the loss (acceptsLossy; --accept-lossy).")
    }
    guard !options.vectorsOnly else { return }
    let remedy =
      "Import its vectors only (vectorsOnly; --vectors-only), or into a table of its optimizer."
    guard optimizer == configuration.optimizer.name else {
      throw refuse("optimizer", optimizer, configuration.optimizer.name, remedy)
    }
    guard slotCount == configuration.slotCount else {
      throw refuse("slots a row", slotCount, configuration.slotCount, remedy)
    }
    guard includesSlots || slotCount == 0 else {
      throw EmbeddingError(
        .configurationMismatch,
        "\(file) was exported without optimizer slots, the table has \(configuration.slotCount) a "
          + "row; nothing was imported. Import its vectors only (vectorsOnly; --vectors-only), or export with slots."
      )
    }
  }

  /// The identity of the state that a table without rows gets to by the snapshot; nil where it does
  /// not become what the exported one was: rows are stored with loss or taken in part, or ids without
  /// rows read otherwise.
  func identity(
    in configuration: TableConfiguration, _ options: SnapshotImportOptions
  ) -> SnapshotIdentity? {
    guard !isLossy, includesSlots || slotCount == 0, !options.vectorsOnly,
      seed == configuration.seed, initializer == configuration.initializer.name,
      initializerParameters == configuration.initializer.parameters
    else { return nil }
    return identity
  }

  /// Refuses a delta where a whole table is needed.
  func refuseDelta(file: String) throws(EmbeddingError) {
    guard let base else { return }
    throw EmbeddingError(
      .invalidArgument,
      "\(file) is a delta, which holds only what changed since \(base). Merge it with the snapshot "
        + "of that state ('embstore merge'), and take the result.")
  }
}

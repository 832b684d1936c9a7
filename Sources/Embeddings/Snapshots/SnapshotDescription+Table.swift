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

  /// Refuses a snapshot whose rows cannot go on in a table of `configuration`. Returns what differs
  /// beyond that.
  func checkFit(
    _ configuration: TableConfiguration, _ options: SnapshotImportOptions, file: String
  ) throws(EmbeddingError) -> [String] {
    try refuseDelta(file: file)
    return try checkRows(configuration, options, file: file)
  }

  /// Refuses rows that cannot go on in a table of `configuration`; returns what else differs.
  func checkRows(
    _ configuration: TableConfiguration, _ options: SnapshotImportOptions, file: String
  ) throws(EmbeddingError) -> [String] {
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
    var notes: [String] = []
    if let initial = differenceOfInitialVectors(from: configuration) {
      guard options.vectorsOnly || options.acceptsOtherInitialVectors else {
        throw EmbeddingError(
          .configurationMismatch,
          "\(file) has \(initial), from which ids without rows get their vectors; nothing was "
            + "imported. Import it into a table of its configuration, or accept that these ids "
            + "read otherwise (acceptsOtherInitialVectors; --accept-other-initializer).")
      }
      notes.append("\(file) has \(initial): ids without rows read otherwise")
    }
    guard !options.vectorsOnly else { return notes }
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
          + "row; nothing was imported. Import its vectors only (vectorsOnly; --vectors-only), or "
          + "export with slots.")
    }
    return notes + differencesOfTraining(from: configuration).map { "\(file) has \($0)" }
  }

  /// How the vectors of ids without rows differ, or nil.
  private func differenceOfInitialVectors(from configuration: TableConfiguration) -> String? {
    let theirs = configuration.initializer
    if initializer != theirs.name || initializerParameters != theirs.parameters {
      let mine = (try? Initializer(name: initializer, parameters: initializerParameters))
        .map { "\($0)" }
      return "initializer \(mine ?? initializer), the table has \(theirs)"
    }
    // A constant does not depend on the seed.
    if seed != configuration.seed, initializer != "constant" {
      return "seed \(seed), the table has \(configuration.seed)"
    }
    return nil
  }

  /// How training goes on otherwise in a table of the same optimizer.
  private func differencesOfTraining(from configuration: TableConfiguration) -> [String] {
    let theirs = configuration.optimizer
    var differences: [String] = []
    if learningRate != theirs.learningRate {
      differences.append("learning rate \(learningRate), the table has \(theirs.learningRate)")
    }
    for parameter in hyperparameters {
      let other = theirs.hyperparameters.first { $0.name == parameter.name }
      if other?.value != parameter.value {
        let value = other.map { "\($0.value)" } ?? "none"
        differences.append("\(parameter.name) \(parameter.value), the table has \(value)")
      }
    }
    return differences
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

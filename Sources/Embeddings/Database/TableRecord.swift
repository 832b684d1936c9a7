import StorageBase

/// The record of one table, under the key `table:` and its name in the tree `meta`: what it is, and
/// how far it has come.
struct TableRecord: Sendable {
  static let prefix = "table:"

  var number: UInt32
  var configuration: TableConfiguration
  /// Pages in each of its blocks.
  var blockPages: Int
  var rowCount: UInt64 = 0
  /// The sum of all rows' frequencies.
  var totalFrequency: UInt64 = 0
  /// Stored in a record of its own, with the policy of the configuration (``EvictionRecord``).
  var evictions = EvictionCounters()
  /// What became of ids, where they have to earn their rows.
  var life = LifeCounts()
  var history: TableHistory

  static func key(_ name: String) -> String { prefix + name }

  /// A table that is created, without rows, in the state after commit `generation`.
  init(number: UInt32, name: String, configuration: TableConfiguration, generation: UInt64) {
    self.number = number
    self.configuration = configuration
    history = TableHistory(creating: name, configuration, generation: generation)
    blockPages =
      BlockLayout(dimension: configuration.dimension, slotCount: configuration.slotCount).pages
  }

  var layout: BlockLayout {
    BlockLayout(
      dimension: configuration.dimension, slotCount: configuration.slotCount, pages: blockPages)
  }

  /// The fields; their checksum is added where they are stored.
  func encode() -> [UInt8] {
    var writer = RecordWriter()
    writer.write(number)
    writer.write(UInt32(configuration.dimension))
    writer.write(UInt32(configuration.slotCount))
    writer.write(UInt32(blockPages))
    writer.write(configuration.idType.rawValue)
    writer.write(configuration.seed)
    writer.write(rowCount)
    writer.write(totalFrequency)
    history.encode(to: &writer)
    writer.write(configuration.initializer.name)
    writer.write(configuration.initializer.parameters)
    writer.write(configuration.optimizer)
    configuration.admission.write(to: &writer)
    writer.write(configuration.cutoff)
    writer.write(UInt64(configuration.sharedRows))
    writer.write(configuration.counting.rawValue)
    life.write(to: &writer)
    return writer.bytes
  }

  init(_ stored: UnsafeRawBufferPointer, name: String) throws(EmbeddingError) {
    var reader = try RecordReader(stored, name: Self.key(name))
    number = try reader.read(UInt32.self)
    let dimension = Int(try reader.read(UInt32.self))
    let slotCount = Int(try reader.read(UInt32.self))
    blockPages = Int(try reader.read(UInt32.self))
    guard let idType = IDType(rawValue: try reader.read(UInt8.self)) else {
      throw EmbeddingError(.corruption, "Table \(name) has an unknown id type.")
    }
    let seed = try reader.read(UInt64.self)
    rowCount = try reader.read(UInt64.self)
    totalFrequency = try reader.read(UInt64.self)
    history = try TableHistory(&reader)
    let initializerName = try reader.read(String.self)
    let initializer = try Initializer(
      name: initializerName, parameters: try Self.readParameters(&reader))
    let optimizerName = try reader.read(String.self)
    let learningRate = try reader.read(Float.self)
    let optimizer = try storedOptimizer(
      name: optimizerName, learningRate: learningRate,
      hyperparameters: try Self.readParameters(&reader), slotCount: slotCount)
    configuration = TableConfiguration(
      dimension: dimension, idType: idType, initializer: initializer, seed: seed,
      optimizer: optimizer)
    configuration.admission = try Admission(&reader)
    configuration.cutoff = try reader.read(UInt64.self)
    configuration.sharedRows = Int(clamping: try reader.read(UInt64.self))
    guard let counting = FrequencyCounting(rawValue: try reader.read(UInt8.self)) else {
      throw EmbeddingError(.corruption, "Table \(name) counts in an unknown way.")
    }
    configuration.counting = counting
    life = try LifeCounts(&reader)
    try configuration.validate()
    guard configuration.slotCount == slotCount,
      (1...1024).contains(blockPages), layout.rowsPerBlock > 0
    else {
      throw EmbeddingError(.corruption, "The record of table \(name) contradicts itself.")
    }
  }

  private static func readParameters(
    _ reader: inout RecordReader
  ) throws(EmbeddingError) -> [Hyperparameter] {
    var parameters: [Hyperparameter] = []
    for _ in 0..<(try reader.read(UInt32.self)) {
      let name = try reader.read(String.self)
      parameters.append(Hyperparameter(name: name, value: try reader.read(Float.self)))
    }
    return parameters
  }
}

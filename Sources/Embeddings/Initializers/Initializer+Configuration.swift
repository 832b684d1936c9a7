extension Initializer: CustomStringConvertible {
  /// What kind of initializer it is: `constant`, `uniform`, `normal` or `truncatedNormal`. Stored
  /// with the table.
  public var name: String {
    switch kind {
    case .constant: "constant"
    case .uniform: "uniform"
    case .normal: "normal"
    case .truncatedNormal: "truncatedNormal"
    }
  }

  /// Its parameters, by name. Stored with the table.
  public var parameters: [Hyperparameter] {
    switch kind {
    case .constant(let value):
      [Hyperparameter(name: "value", value: value)]
    case .uniform(let low, let high):
      [Hyperparameter(name: "low", value: low), Hyperparameter(name: "high", value: high)]
    case .normal(let mean, let deviation), .truncatedNormal(let mean, let deviation):
      [
        Hyperparameter(name: "mean", value: mean),
        Hyperparameter(name: "standardDeviation", value: deviation),
      ]
    }
  }

  /// Such as `uniform(low = -0.05, high = 0.05)`.
  public var description: String {
    "\(name)(\(parameters.map(\.description).joined(separator: ", ")))"
  }

  /// The initializer that has this name and these parameters: the way back from what is stored.
  package init(name: String, parameters: [Hyperparameter]) throws(EmbeddingError) {
    let names = parameters.map(\.name)
    let values = parameters.map(\.value)
    switch (name, names) {
    case ("constant", ["value"]): kind = .constant(values[0])
    case ("uniform", ["low", "high"]): kind = .uniform(low: values[0], high: values[1])
    case ("normal", ["mean", "standardDeviation"]):
      kind = .normal(mean: values[0], standardDeviation: values[1])
    case ("truncatedNormal", ["mean", "standardDeviation"]):
      kind = .truncatedNormal(mean: values[0], standardDeviation: values[1])
    default:
      throw EmbeddingError(
        .invalidConfiguration,
        "There is no initializer \(name)(\(names.joined(separator: ", "))); "
          + "the table was made by a newer version of this library, or the name is misspelt.")
    }
    try validate()
  }

  /// Throws ``EmbeddingError/Code/invalidConfiguration`` for a parameter that cannot be used.
  package func validate() throws(EmbeddingError) {
    for parameter in parameters where !parameter.value.isFinite {
      throw EmbeddingError(
        .invalidConfiguration,
        "\(parameter.name) of the initializer \(name) is \(parameter.value); it must be finite.")
    }
    switch kind {
    case .uniform(let low, let high) where low > high || !(high - low).isFinite:
      throw EmbeddingError(
        .invalidConfiguration,
        "The initializer's range goes from \(low) to \(high); it must rise, and its width be finite."
      )
    case .normal(_, let deviation) where deviation < 0,
      .truncatedNormal(_, let deviation) where deviation < 0:
      throw EmbeddingError(
        .invalidConfiguration,
        "standardDeviation of the initializer \(name) is \(deviation); it must be at least 0.")
    default: break
    }
  }
}

/// A named number that is part of an optimizer's or an initializer's configuration.
public struct Hyperparameter: Sendable, Hashable, CustomStringConvertible {
  /// Its name, such as `epsilon`.
  public var name: String
  /// Its value.
  public var value: Float

  /// Names a value.
  public init(name: String, value: Float) {
    self.name = name
    self.value = value
  }

  /// Such as `epsilon = 1e-07`.
  public var description: String { "\(name) = \(value)" }
}

/// The vector that an id has before its first update.
///
/// It is a pure function of the table's seed and the id: the same in every process and on every
/// machine, bit for bit, whatever the order in which ids arrive. A lookup of an id that was never
/// updated therefore needs no storage.
///
///     let initializer: Initializer = .uniform(-0.05...0.05)
///     initializer.vector(dimension: 4, seed: 0, id: 42)
public struct Initializer: Sendable, Hashable {
  enum Kind: Hashable {
    case constant(Float)
    case uniform(low: Float, high: Float)
    case normal(mean: Float, standardDeviation: Float)
    case truncatedNormal(mean: Float, standardDeviation: Float)
  }

  let kind: Kind

  /// All zeros.
  public static let zeros = Initializer(kind: .constant(0))

  /// Every element is `value`.
  public static func constant(_ value: Float) -> Initializer {
    Initializer(kind: .constant(value))
  }

  /// Uniform over `range`, both ends included, in steps of 2^-32 of its width.
  ///
  /// Elements `2i` and `2i + 1` come from one 64-bit hash, `mix64(state + (i + 1)*golden)` (see
  /// ``fill(_:seed:id:)`` for the state): its low and its high half as an Int32, times
  /// `half/2^31`, plus the center of the range. This is SplitMix64 started at the id.
  public static func uniform(_ range: ClosedRange<Float>) -> Initializer {
    Initializer(kind: .uniform(low: range.lowerBound, high: range.upperBound))
  }

  /// Normal. Each element is the quantile (Wichura's AS 241) of a 52-bit uniform value.
  public static func normal(mean: Float = 0, standardDeviation: Float = 0.05) -> Initializer {
    Initializer(kind: .normal(mean: mean, standardDeviation: standardDeviation))
  }

  /// Normal, without what lies farther than two standard deviations from the mean, as TensorFlow's
  /// `truncated_normal`. `standardDeviation` is that of the distribution before it is cut; what is
  /// left has 0.8796 of it.
  public static func truncatedNormal(
    mean: Float = 0, standardDeviation: Float = 0.05
  ) -> Initializer {
    Initializer(kind: .truncatedNormal(mean: mean, standardDeviation: standardDeviation))
  }

  /// Glorot's (Xavier's) uniform: ``uniform(_:)`` over plus and minus `sqrt(6/(fanIn + fanOut))`.
  ///
  /// For an embedding, Keras takes `fanIn` to be the number of ids and `fanOut` the dimension. A
  /// dynamic table does not know how many ids will come: give the number expected, or the fan of
  /// the layer that the embedding feeds. What is stored is the range.
  ///
  /// Glorot, Bengio: *Understanding the difficulty of training deep feedforward neural networks*
  /// (2010), equation 16.
  ///
  /// - Precondition: `fanIn + fanOut > 0`.
  public static func glorotUniform(fanIn: Int, fanOut: Int) -> Initializer {
    precondition(
      fanIn >= 0 && fanOut >= 0 && fanIn + fanOut > 0, "glorotUniform needs a fan above 0")
    let limit = Float((6 / Double(fanIn + fanOut)).squareRoot())
    return .uniform(-limit...limit)
  }
}

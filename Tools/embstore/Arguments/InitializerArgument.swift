import ArgumentParser
import Embeddings

/// How a new row's vector is made.
struct InitializerArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How vectors start: zeros, constant:V, uniform:LOW,HIGH, normal:MEAN,DEVIATION, "
        + "truncated-normal:MEAN,DEVIATION or glorot-uniform:FAN-IN,FAN-OUT.",
      valueName: "initializer"),
    completion: .list(["zeros", "constant:", "uniform:", "normal:", "truncated-normal:"]),
    transform: parseInitializer)
  var initializer: Initializer = .uniform(-0.05...0.05)

  @Option(help: "The seed of the initializer.")
  var seed: UInt64 = 0
}

@Sendable
private func parseInitializer(_ text: String) throws -> Initializer {
  let parts = text.split(separator: ":", maxSplits: 1)
  let name = parts.first.map(String.init) ?? ""
  let fields = parts.count > 1 ? parts[1].split(separator: ",") : []
  let values = fields.compactMap { Float($0) }
  func make(_ kind: String, _ names: [String]) throws -> Initializer {
    guard fields.count == names.count, values.count == names.count else {
      throw ValidationError(
        "'\(text)' is not an initializer: \(name) takes "
          + "\(names.isEmpty ? "no values" : names.joined(separator: ",")), such as "
          + "'\(example(name))'.")
    }
    let parameters = zip(names, values).map { Hyperparameter(name: $0, value: $1) }
    do {
      return try Initializer(name: kind, parameters: parameters)
    } catch {
      throw ValidationError(error.message)
    }
  }
  switch name {
  case "zeros":
    guard parts.count == 1 else { throw ValidationError("'\(text)': zeros takes no values.") }
    return .zeros
  case "constant": return try make("constant", ["value"])
  case "uniform": return try make("uniform", ["low", "high"])
  case "normal": return try make("normal", ["mean", "standardDeviation"])
  case "truncated-normal": return try make("truncatedNormal", ["mean", "standardDeviation"])
  case "glorot-uniform":
    let fans = fields.compactMap { Int($0) }
    guard fields.count == 2, fans.count == 2, fans.allSatisfy({ (0...1 << 40).contains($0) }),
      fans[0] + fans[1] > 0
    else {
      throw ValidationError(
        "'\(text)' is not an initializer: glorot-uniform takes two whole numbers, such as "
          + "'\(example(name))'.")
    }
    return .glorotUniform(fanIn: fans[0], fanOut: fans[1])
  default:
    throw ValidationError(
      "There is no initializer '\(text)'. There are zeros, constant:V, uniform:LOW,HIGH, "
        + "normal:MEAN,DEVIATION, truncated-normal:MEAN,DEVIATION, glorot-uniform:FAN-IN,FAN-OUT.")
  }
}

private func example(_ name: String) -> String {
  switch name {
  case "constant": "constant:0.1"
  case "uniform": "uniform:-0.05,0.05"
  case "glorot-uniform": "glorot-uniform:1000000,64"
  default: "\(name):0,0.05"
  }
}

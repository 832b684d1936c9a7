import ArgumentParser
import Machine
import StoreKernels

/// What a step of each optimizer costs beside Adagrad's, for each float of the row that it reads and
/// writes: of its vector and its state. Gradients are read too and not counted.
///
/// The optimizers take turns, each time on other rows, so that whatever else the machine does, and
/// where rows happen to lie, falls on all of them. The lower quartile counts.
@main
struct Optimizers: ParsableCommand {
  @Option(help: "Floats in a vector.") var dimension = 64
  @Option(help: "Rows of the tables in memory.") var rows = 1_000_000
  @Option(help: "Turns of each optimizer.") var turns = 200

  func validate() throws {
    guard dimension > 0, rows > 1_000, turns > 0 else {
      throw ValidationError("--dimension and --turns are above 0, --rows above 1,000.")
    }
  }

  func run() {
    let variants = [ck_variant_baseline, ck_variant_avx2, ck_variant_avx512].filter {
      ck_kernels_of($0) != nil
    }
    let chosen = ck_chosen_variant()
    print("Nanoseconds a float of vector and state, of Adagrad's in brackets; \(dimension) floats")
    print("in a vector, load average \(loadAverage()).")
    let near = Kernel.all.map { RowMemory(count: 4_800, dimension: dimension, kernel: $0) }
    for variant in variants {
      let name = ["baseline", "AVX2", "AVX-512"][Int(variant.rawValue)]
      let kernels = ck_kernels_of(variant)!.pointee
      report("24 rows again and again, \(name)", near, kernels, batch: 24, repeats: 40)
      report("400 rows again and again, \(name)", near, kernels, batch: 400, repeats: 4)
    }
    let far = Kernel.all.map { RowMemory(count: rows, dimension: dimension, kernel: $0) }
    report(
      "8,192 random rows of \(rows), as chosen on this machine", far,
      ck_kernels_of(chosen)!.pointee, batch: min(8_192, rows), repeats: 1)
  }

  /// Times and prints a step of every optimizer on rows of its own: `repeats` times on the same ones
  /// after one that is not timed, or once on random ones.
  private func report(
    _ title: String, _ memories: [RowMemory], _ kernels: ck_kernels, batch count: Int,
    repeats: Int
  ) {
    let isRandom = repeats == 1
    let batch = Batch(
      rows: .allocate(capacity: count), gradients: .allocate(capacity: count), count: count,
      dimension: dimension)
    let gradients = UnsafeMutablePointer<Float>.allocate(capacity: count * dimension)
    defer {
      batch.rows.deallocate()
      batch.gradients.deallocate()
      gradients.deallocate()
    }
    for i in 0..<count * dimension { (gradients + i).initialize(to: Float(i % 101 - 50) * 1e-4) }
    for i in 0..<count {
      (batch.gradients + i).initialize(to: UnsafePointer(gradients + i * dimension))
    }
    let order = isRandom ? (0..<rows).shuffled() : Array(0..<memories[0].count)
    var first = 0
    var times = [[Double]](repeating: [], count: Kernel.all.count)
    for _ in 0..<turns {
      for (k, kernel) in Kernel.all.enumerated() {
        for i in 0..<count { (batch.rows + i).initialize(to: memories[k][order[first + i]]) }
        if !isRandom { kernel.step(kernels, batch) }
        let begin = seconds()
        for _ in 0..<repeats { kernel.step(kernels, batch) }
        times[k].append((seconds() - begin) / Double(repeats * count * memories[k].width) * 1e9)
      }
      // Everybody has stepped on these rows; none of the next ones is in the cache.
      first += count
      if first + count > order.count { first = 0 }
    }
    let found = times.map { $0.sorted()[turns / 4] }
    print("\n\(title)")
    for (kernel, time) in zip(Kernel.all, found) {
      print("  " + kernel.name.padded(to: 18) + "\(time.rounded3)  (\((time / found[0]).rounded3))")
    }
  }
}

extension Double {
  /// Three digits behind the point.
  var rounded3: Double { (self * 1e3).rounded() / 1e3 }
}

extension String {
  func padded(to width: Int) -> String {
    self + String(repeating: " ", count: Swift.max(0, width - count))
  }
}

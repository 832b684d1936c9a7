// swift-tools-version: 6.1
import PackageDescription

// The parts of the library, one by one: time, and allocations against committed thresholds.
let package = Package(
  name: "Parts",
  platforms: [.macOS(.v13)],
  dependencies: [
    .package(name: "EmbeddingStore", path: "../.."),
    .package(name: "Benchmarks", path: ".."),
    // Without its traits, whose packages count allocations and references in their own way.
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.0", traits: []),
  ],
  targets: [
    .target(name: "AllocationCounter"),
    .executableTarget(
      name: "EmbeddingParts",
      dependencies: [
        "AllocationCounter",
        .product(name: "Embeddings", package: "EmbeddingStore"),
        .product(name: "WorkloadData", package: "Benchmarks"),
        .product(name: "Benchmark", package: "benchmark"),
      ],
      path: "Benchmarks/EmbeddingParts",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
  ]
)

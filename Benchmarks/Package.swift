// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Benchmarks",
  products: [
    .library(name: "WorkloadData", targets: ["WorkloadData"])
  ],
  dependencies: [
    .package(name: "EmbeddingStore", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
  ],
  targets: [
    // Ids, rows and gradients of the workloads, the same on every machine.
    .target(name: "WorkloadData"),
    // What the programs ask of the system: clocks, memory, files.
    .target(name: "Machine"),
    .executableTarget(
      name: "workloads",
      dependencies: [
        "WorkloadData", "Machine",
        .product(name: "Embeddings", package: "EmbeddingStore"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "snapshots",
      dependencies: [
        "WorkloadData", "Machine",
        .product(name: "Embeddings", package: "EmbeddingStore"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "admission",
      dependencies: [
        "Machine",
        .product(name: "Embeddings", package: "EmbeddingStore"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    // The C interface of the library's kernels, which `Embeddings` brings.
    .systemLibrary(name: "StoreKernels"),
    .executableTarget(
      name: "optimizers",
      dependencies: [
        "Machine", "StoreKernels",
        .product(name: "Embeddings", package: "EmbeddingStore"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "scale",
      dependencies: [
        "Machine",
        .product(name: "Embeddings", package: "EmbeddingStore"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
  ]
)

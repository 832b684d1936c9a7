// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is compiled alike: language mode 6, and imports say what they are for.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  // `@_lifetime`, for the borrowed views of ids (`IDBatch`).
  .enableExperimentalFeature("Lifetimes"),
]

let package = Package(
  name: "EmbeddingStore",
  products: [
    .library(name: "Embeddings", targets: ["Embeddings"]),
    .executable(name: "embstore", targets: ["embstore"]),
    .executable(name: "word2vec", targets: ["word2vec"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    // System libraries.
    .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),

    // The library, bottom-up: each module imports only those above it in this list.
    .target(name: "CKernels"),
    .target(name: "StorageBase", dependencies: ["CXXHash", "CZstd"], swiftSettings: settings),
    .target(name: "LMDB", dependencies: ["CLMDB", "StorageBase"], swiftSettings: settings),
    .target(
      name: "Snapshots", dependencies: ["StorageBase", "CZstd", "CKernels"],
      swiftSettings: settings),
    .target(name: "Exchange", dependencies: ["StorageBase"], swiftSettings: settings),
    .target(
      name: "Embeddings",
      dependencies: ["CKernels", "StorageBase", "LMDB", "Snapshots", "Exchange"],
      swiftSettings: settings),

    // The tools.
    .executableTarget(
      name: "embstore",
      dependencies: [
        "Embeddings", "StorageBase",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tools/embstore",
      swiftSettings: settings),
    .executableTarget(
      name: "word2vec",
      dependencies: [
        "Embeddings",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tools/word2vec",
      exclude: ["README.md"],
      swiftSettings: settings),

    // Tests, one target a module.
    .target(
      name: "TestSupport", dependencies: ["Embeddings"], path: "Tests/TestSupport",
      swiftSettings: settings),
    // The process that crash tests kill.
    .executableTarget(
      name: "CrashWorker", dependencies: ["Embeddings", "TestSupport"], path: "Tests/CrashWorker",
      swiftSettings: settings),
    .testTarget(
      name: "StorageBaseTests", dependencies: ["StorageBase", "TestSupport"],
      swiftSettings: settings),
    .testTarget(name: "LMDBTests", dependencies: ["LMDB", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "SnapshotsTests", dependencies: ["Snapshots", "CKernels", "CZstd", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "ExchangeTests", dependencies: ["Exchange", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "EmbeddingsTests",
      dependencies: ["Embeddings", "CKernels", "CrashWorker", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    // Runs the built `embstore`, which every build of the tests makes.
    .testTarget(
      name: "ToolTests", dependencies: ["Embeddings", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "Word2VecTests", dependencies: ["word2vec", "Embeddings", "TestSupport"],
      swiftSettings: settings),
  ]
)

@_exported public import Snapshots
@_exported public import StorageBase

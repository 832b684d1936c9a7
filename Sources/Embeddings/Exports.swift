@_exported public import StorageBase

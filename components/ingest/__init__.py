"""Pictures from a folder or an archive → checked, deduplicated, split TFRecord shards."""

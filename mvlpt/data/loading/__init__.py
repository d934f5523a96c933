"""From files to batches: decoding, views, caches, workers."""

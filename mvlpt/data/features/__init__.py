"""Image features kept in memory and on disk."""

"""Task embeddings: what the frozen model makes of a task's images and class names, and their cache."""

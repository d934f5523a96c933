"""Pictures of the task graph."""

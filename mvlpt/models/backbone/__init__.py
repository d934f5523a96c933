"""Frozen CLIP models: names, weights, loading."""

"""Prompt methods, one folder each."""

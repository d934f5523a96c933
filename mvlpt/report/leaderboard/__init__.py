"""Prediction files of a leaderboard: written, checked and joined as streams."""

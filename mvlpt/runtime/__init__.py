"""What a running process needs: console, log, progress, signals."""

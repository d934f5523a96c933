"""Times and sizes as people read them."""

from __future__ import annotations

import math


def duration(seconds: float) -> str:
    """``0.4 s``, ``45 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 d 04 h``; a dash where it is not known."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02d} h"


def clock(seconds: float) -> str:
    """``0:45``, ``12:05`` or ``1:02:05``: narrow, for columns that change every second."""
    if not math.isfinite(seconds):
        return "–"
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def memory(megabytes: float) -> str:
    """MiB as ``300 MiB`` or ``2.5 GiB``; nothing where it is not known."""
    if not math.isfinite(megabytes) or megabytes <= 0:
        return ""
    return f"{megabytes:.0f} MiB" if megabytes < 1000 else f"{megabytes / 1024:.1f} GiB"

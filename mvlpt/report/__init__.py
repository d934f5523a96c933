"""Results for people: tables now; figures and pages join them here."""

from mvlpt.report.summary import Cell, summarise

__all__ = ["Cell", "summarise"]

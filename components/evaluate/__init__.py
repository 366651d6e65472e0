"""Snapshots → scores, the best of them, a report, and whether it may be published."""

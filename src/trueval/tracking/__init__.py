"""Tells experiment trackers of a run, beside its folder and never in place of it."""

"""Drills that only the analytics can be drilled with."""

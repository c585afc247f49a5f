"""Runs a program again when its code changes. Imports nothing but the standard library, since it runs beside every program."""

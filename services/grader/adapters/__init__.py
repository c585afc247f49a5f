"""Processes, servers, files and observations that a grading needs."""

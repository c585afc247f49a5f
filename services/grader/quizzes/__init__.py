"""Quizzes: questions drawn by a seed, answered at a terminal, and what proves their keys."""

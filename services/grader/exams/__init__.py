"""Exams: parts under a clock, attempts that go on after a crash, reviews by people, and signed certificates."""

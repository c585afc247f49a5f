"""Labs, checks, verdicts and their points; plain Python, no effects."""

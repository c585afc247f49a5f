"""Commands that only the analytics have."""

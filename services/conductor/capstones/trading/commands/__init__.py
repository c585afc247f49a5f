"""What a person types for the trading service."""

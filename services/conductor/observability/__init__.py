"""What the platform shows of itself: the registry of metrics and alerts, and the rules that are made of it."""

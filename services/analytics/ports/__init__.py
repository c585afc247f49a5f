"""What the use cases need from outside, as protocols, by what they are about."""

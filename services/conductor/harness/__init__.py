"""What plays a drill: a session with its load and its history, faults, the evidence, and the verdict; knows no runtime's details."""

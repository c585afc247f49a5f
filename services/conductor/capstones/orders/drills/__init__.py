"""The drills that only orders has, one file each: `DRILL`."""

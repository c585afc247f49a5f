"""The drills that fit any capstone, one file each: `DRILL`."""

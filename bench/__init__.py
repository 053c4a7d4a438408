"""Side-by-side measurements, each of one run on one machine. Asserts nothing; imported by nobody."""

"""What leaves the database as evidence, and how it is read back: signed heads of the trail, exports, sealed ranges."""

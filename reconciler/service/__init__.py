"""What acts on many entities at once beside an apply: verification."""

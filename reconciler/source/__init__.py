"""The files: found, read, checked and resolved into the desired state, and written back from it."""

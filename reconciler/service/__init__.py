"""What acts on single entities: the service that applications and commands call, and verification."""

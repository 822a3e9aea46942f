"""What applications call: the registry's service and reader, and what is generated with its models."""

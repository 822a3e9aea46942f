"""The flow: load, observe, plan, guard, apply, verify, as named stages over the store and the service."""

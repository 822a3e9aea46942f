"""A declarative GitOps reconciler for LLM provider configuration."""

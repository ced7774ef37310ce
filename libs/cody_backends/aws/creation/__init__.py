"""What `ops bootstrap` creates, one module for each service."""

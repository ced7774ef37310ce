"""How messages travel over SQS."""

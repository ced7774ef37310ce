"""What a job is: models, lifecycle, messages, events, ports and errors. No I/O and no vendor is imported here."""

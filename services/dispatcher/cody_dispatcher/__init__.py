"""Queue to compute: hands jobs to workers, and looks after what falls between two programs."""

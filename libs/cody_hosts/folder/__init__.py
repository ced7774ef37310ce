"""A folder of git repositories as a code host."""

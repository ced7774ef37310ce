"""Who may ask Claude, and when: just below the rate limits, together with all workers that use the same key."""

"""GitHub as a code host: github.com, or GitHub Enterprise by its address."""

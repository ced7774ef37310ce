"""Programs that take the place of services that cost money or need an account. Each says that it is a stand-in."""

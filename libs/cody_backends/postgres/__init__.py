"""The PostgreSQL family: one database for jobs, messages and results, given by a URL or served from the data folder."""

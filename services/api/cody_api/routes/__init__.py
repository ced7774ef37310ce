"""The API's addresses, one file per noun."""

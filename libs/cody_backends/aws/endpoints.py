"""Which endpoint is Amazon's own."""

from urllib.parse import urlsplit

_AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def is_real(endpoint: str) -> bool:
    return (urlsplit(endpoint).hostname or "").endswith(_AMAZON)

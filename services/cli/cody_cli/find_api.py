"""Where the API is and what to show it: CODY_API_URL and CODY_API_TOKEN, else what runs on CODY_DATA."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from cody_cli.data_folder import DataFolder
from cody_cli.failures import BadInput, CommandFailed

START_IT = "start it with `cody-batch up`, or set CODY_API_URL"


class Address(Struct, frozen=True, kw_only=True):
    url: str
    token: str | None

    def __repr__(self) -> str:
        return f"Address(url={self.url!r})"


def find_api(environment: Mapping[str, str]) -> Address:
    """Raise `CommandFailed` when neither a setting nor CODY_DATA tells where an API is."""
    data = DataFolder(environment)
    serving = data.serving()
    asked = environment.get("CODY_API_URL", "").strip().rstrip("/")
    if asked and (urlsplit(asked).scheme not in ("http", "https") or not urlsplit(asked).hostname):
        raise BadInput(f"CODY_API_URL: {asked!r} is not an address", hint="write http://host:port")
    url = asked or (serving.url if serving else None)
    if url is None:
        raise CommandFailed(f"Cody Batch is not running on {data.path}", hint=START_IT)
    token = environment.get("CODY_API_TOKEN", "").strip() or None
    # This machine's token is shown to this machine's API alone, wherever CODY_API_URL points.
    ours = serving is not None and serving.url == url
    return Address(url=url, token=token or (data.token() if ours else None))

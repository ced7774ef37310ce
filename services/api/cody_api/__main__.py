"""`python -m cody_api`: serve the HTTP API."""

import os
import sys

from cody_api.serve import serve
from cody_api.settings import ApiSettings
from cody_runtime.program import run_program


def main() -> int:
    # The stable names of HTTP attributes; read by the instrumentation package itself, and only from here.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    return run_program("api", ApiSettings, serve, os.environ)


if __name__ == "__main__":
    sys.exit(main())

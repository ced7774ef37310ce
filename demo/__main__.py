"""The demo's entry point."""

import os
import sys

from cody_cli.failures import EXIT_INTERRUPTED, CommandFailed


def main() -> int:
    """0 only if the job succeeded and every patch applies."""
    from cody_cli.output import run_async
    from demo.show_job import show_demo

    try:
        return run_async(show_demo(dict(os.environ)))
    except CommandFailed as error:
        sys.stderr.write(f"demo: {error.message}\n" + (f"  try: {error.hint}\n" if error.hint else ""))
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("demo: stopped by Ctrl-C\n")
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())

"""`python3 pip_conf.py [PATH]`: the part of this machine's pip configuration that a build in a container needs, as a
pip.conf; PATH is where the build finds the certificates."""

import ast
import subprocess
import sys

_WANTED = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout")


def main(certificates: str) -> None:
    """Lines of `pip config list` are `global.index-url='…'` or `:env:.index-url='…'`; the environment wins."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings = [line.partition("=") for line in listed.splitlines()]
    settings.sort(key=lambda setting: setting[0].startswith(":env:"))
    found = {name.rpartition(".")[2]: ast.literal_eval(value) for name, _, value in settings}
    chosen = {name: str(value) for name, value in found.items() if name in _WANTED}
    if certificates:
        chosen["cert"] = certificates
    sys.stdout.write("[global]\n")
    for name, value in chosen.items():
        sys.stdout.write(f"{name} = {value.replace(chr(10), chr(10) + '    ')}\n")


if __name__ == "__main__":
    main(*sys.argv[1:2] or [""])

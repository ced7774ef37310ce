"""The walls of a sandbox that not every machine lets bubblewrap build. All others it has, or there is no sandbox."""

from collections.abc import Sequence

from msgspec import Struct


class Walls(Struct, frozen=True, kw_only=True):
    """`own_proc`: /proc shows the command's own processes alone. Without it, it is the worker's, read-only: names,
    command lines and connections of the container's processes can be read there, and nothing that they hold (their
    memory, environment, files), for they are of another user namespace. The kernel refuses a new /proc where the old
    one is partly masked, as it is in containers.

    `no_more_namespaces`: a command cannot make user namespaces of its own. Needs bubblewrap 0.8, and a /proc/sys that
    is not read-only.

    `own_name`: the machine's name is not seen. Podman allows a name to those alone who administrate the machine.
    """

    own_proc: bool = True
    no_more_namespaces: bool = True
    own_name: bool = True

    @property
    def all_stand(self) -> bool:
        return self.own_proc and self.no_more_namespaces and self.own_name

    def options(self) -> Sequence[str]:
        """Bubblewrap's, except for /proc, whose place among the mounts matters."""
        namespaces = ("--disable-userns",) if self.no_more_namespaces else ()
        return (*namespaces, *(("--hostname", "sandbox") if self.own_name else ()))

    def proc(self) -> Sequence[str]:
        """Read-only in the end: where the worker is root, its user is the very one that may write the kernel's settings
        there."""
        return ("--proc", "/proc", "--remount-ro", "/proc") if self.own_proc else ("--ro-bind", "/proc", "/proc")


WORTH_TRYING = (
    Walls(),
    Walls(own_name=False),
    Walls(no_more_namespaces=False),
    Walls(no_more_namespaces=False, own_name=False),
    Walls(no_more_namespaces=False, own_name=False, own_proc=False),
)
"""The best first. Where /proc cannot be made anew, /proc/sys is read-only, too."""

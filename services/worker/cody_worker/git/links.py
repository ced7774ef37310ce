"""Symbolic links of a work tree: only those that stay inside are made or taken."""


def stays_inside(path: bytes, target: bytes) -> bool:
    """Whether a link at `path` leads to a place in the tree, whatever other links are in it.

    ".." is taken at the start alone: from there on the way leads down, and each link on it is itself one that stays.
    """
    if not target or target.startswith(b"/") or b"\0" in target:
        return False
    parts = [part for part in target.split(b"/") if part not in {b"", b"."}]
    ups = 0
    while ups < len(parts) and parts[ups] == b"..":
        ups += 1
    if b".." in parts[ups:] or ups > path.count(b"/"):
        return False
    return not any(part.lower() == b".git" for part in parts)

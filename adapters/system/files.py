"""Files that are whole or absent, durable when asked, and readable by their owner alone."""

import os
import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes, *, synced: bool, replace: bool = True) -> None:
    """Writes `path` so that nobody ever sees a part of it.

    With `synced` it survives a power cut. Without `replace` a file that is there already stays
    as it is. Raises `OSError`.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(draft, "xb", opener=_owner_only) as file:
            file.write(content)
            file.flush()
            if synced:
                os.fsync(file.fileno())
        _place(draft, path, replace)
    finally:
        draft.unlink(missing_ok=True)
    if synced:
        fsync_directory(path.parent)


def fsync_directory(folder: Path) -> None:
    """Makes the names in `folder` durable. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private_folder(folder: Path, *, synced: bool) -> None:
    """Creates a folder that its owner alone can enter, if it is not there. Raises `OSError`."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if synced:
            fsync_directory(folder.parent)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _place(draft: Path, path: Path, replace: bool) -> None:
    if replace:
        draft.replace(path)
        return
    try:
        path.hardlink_to(draft)  # a link, unlike a rename, never replaces
    except FileExistsError:
        return

"""Opens a Unix socket for others to find. Says nothing and hears nothing."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from hw.errors import PanelError

LONGEST_PATH = 107  # bytes, of a Unix socket's name (sun_path)


def listen(path: Path, name: str, variable: str) -> socket.socket:
    """A listening socket at a path. A dead process's socket is taken over; a living one's is left alone.

    PanelError calls it by that name, and by the variable of the environment that says where it is.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise PanelError(f"{name} {path}: longer than {LONGEST_PATH} bytes; set {variable}.")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
                if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
                    raise PanelError(f"{name} {path}: another Fathom plays there already.")
            path.unlink()
        listener.bind(str(path))
        listener.listen(4)
    except PanelError:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        raise PanelError(f"{name} {path}: cannot be opened ({error.strerror}).") from None
    return listener

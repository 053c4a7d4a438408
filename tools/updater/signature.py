"""Signs and verifies with `ssh-keygen -Y`: who made a bundle. Reads no bundle.

ssh-keygen takes a signature as a file, hence the folder that nobody else can enter. What it says changes from
version to version: its exit status decides, and the rest only chooses a sentence.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tools.updater.errors import UpdateError

NAMESPACE = "fathom-update"  # a signature that was made for anything else is none
SIGNER = "fathom-release"  # the name that stands first in a line of the signers' file
SIGNERS = Path("/etc/fathom/release_signers")
PATIENCE = 60  # seconds


def sign(data: bytes, key: Path) -> bytes:
    """The signature of these bytes by a private key, or by the agent that holds the one of a `.pub`."""
    done = _run(["sign", "-f", str(key), "-n", NAMESPACE], data, asks=True)
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise UpdateError(f"{key}: ssh-keygen could not sign with it.")
    return done.stdout


def verify(data: bytes, signature: bytes, signers: Path) -> None:
    """UpdateError unless the signature of exactly these bytes was made by a key of the signers' file."""
    keys = _keys(signers)
    if not signature:
        raise UpdateError("it is not signed; take the bundle from where Fathom is published.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "signature")
        file.write_bytes(signature)
        asked = ["-n", NAMESPACE, "-s", str(file)]
        done = _run(["verify", "-f", str(signers), "-I", SIGNER, *asked], data)
        if done.returncode == 0:
            return
        whole = _run(["check-novalidate", *asked], data)
    said = (done.stdout + done.stderr).decode(errors="replace")
    if "expired" in said or "not yet valid" in said:
        raise UpdateError(
            f"the dates in {signers} do not let its key sign now; see that the box's clock is right, or "
            "take the dates out."
        )
    if whole.returncode:
        raise UpdateError(
            "its signature does not fit: it was changed after it was signed, or signed for something else; "
            "take the bundle anew from where Fathom is published."
        )
    held = f"{keys} key{'s' if keys > 1 else ''}"
    raise UpdateError(
        f"it is signed by another key than the {held} in {signers}; take the bundle from where "
        "Fathom is published."
    )


def _keys(signers: Path) -> int:
    """How many lines of the signers' file are no comment."""
    try:
        lines = signers.read_text(errors="replace").splitlines()
    except OSError as error:
        lines, found = [], f"{signers} cannot be read ({error.strerror})"
    else:
        found = f"{signers} has no key"
    count = sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in lines)
    if not count:
        raise UpdateError(
            f"{found}, so no bundle can be trusted; put the publisher's line there "
            f'(`{SIGNER} namespaces="{NAMESPACE}" ssh-ed25519 ...`), then plug the stick in again.'
        )
    return count


def _run(words: list[str], data: bytes, asks: bool = False) -> subprocess.CompletedProcess[bytes]:
    """ssh-keygen with these bytes on its stdin. Where it may ask, it speaks to the terminal."""
    try:
        return subprocess.run(
            ["ssh-keygen", "-Y", *words],
            input=data,
            stdout=subprocess.PIPE,
            stderr=None if asks else subprocess.PIPE,
            timeout=None if asks else PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        raise UpdateError("ssh-keygen is missing: `sudo apt install openssh-client`, then again.") from None
    except subprocess.TimeoutExpired:
        raise UpdateError("ssh-keygen did not end; start the box anew and try again.") from None

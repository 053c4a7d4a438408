"""Installs Fathom on a Raspberry Pi or a Debian, and takes it off again. Standard library only; no music."""

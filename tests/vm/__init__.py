"""A box without a Pi: a Debian in QEMU whose kernel has the panel's chips, and the stories told with it."""

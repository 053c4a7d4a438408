"""Loops in, a slot out. Runs beside the device, never inside its process."""

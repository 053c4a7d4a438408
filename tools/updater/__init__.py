"""Takes updates, and goes back where one does not come up. Imports no room of the project, plays nothing.

It runs as root on the system's Python with the standard library alone, and is kept small: `bundle` reads,
`signature` verifies, `releases` holds the folders, `install` lays a version beside the one that plays,
`start` lets it play and judges it, `main` has the words.
"""

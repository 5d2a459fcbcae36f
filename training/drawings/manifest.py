"""The file that says how the drawings of a folder were made."""

MANIFEST = "drawn.json"

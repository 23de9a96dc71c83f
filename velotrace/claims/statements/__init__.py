"""The claims, by sections of the document; each module ends with its own in `CLAIMS`."""

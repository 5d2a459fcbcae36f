"""The browser page of a live run; needs the extra ``serve``."""

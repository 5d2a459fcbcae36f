"""Commands that write pages and pictures of the documents."""

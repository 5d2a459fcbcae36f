"""Pictures that we draw ourselves: structure of which photographs hold little."""

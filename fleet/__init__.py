"""Many machines: boards with cameras, films on a Ray cluster, models on a Triton server."""

from edge_sr.extras import check_program

check_program(__name__)

"""Measures models on this machine: latency, quality, memory; and reports."""

from edge_sr.extras import check_program

check_program(__name__)

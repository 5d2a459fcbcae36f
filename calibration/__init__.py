"""Calibration frames, value ranges and layer sensitivity: what int8 is made from."""

from edge_sr.extras import check_program

check_program(__name__)

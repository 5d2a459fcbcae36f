"""Calibration frames, value ranges and layer sensitivity: what int8 is made from."""

"""From Keras and other people's networks to ONNX files and TensorRT engines."""

from edge_sr.extras import check_program

check_program(__name__)

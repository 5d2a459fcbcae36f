"""Networks, their data, and the loop that trains them."""

from edge_sr.extras import check_program

check_program(__name__)

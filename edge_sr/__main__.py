"""``python -m edge_sr``."""

from edge_sr.cli.main import run_process

if __name__ == "__main__":
    run_process()

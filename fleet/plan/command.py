"""``edge-sr fleet plan``: which board runs which camera, and all files for it."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path

from edge_sr.cli.common import Row, add_command, format_table
from edge_sr.errors import EdgeSRError, MediaError
from edge_sr.files import whole_folder
from edge_sr.media.address import hide_credentials
from fleet.plan.admission import Costs, Placed, Plan, holds, make_plan, taken
from fleet.plan.boards import PREFIX, write_board, write_secret
from fleet.plan.fleet_file import Board, read_fleet
from fleet.plan.monitoring import alert_file, dashboard, scrape_file

EXAMPLES = """\
examples:
  python -m fleet plan fleet.toml
  python -m fleet plan fleet.toml --output plan/
  python -m fleet plan fleet.toml --output plan/ --force
"""
HEAD = ("board", "camera", "ms a frame", "fps", "share", "holds", "by")
PAGE = """\
# Plan

Written by `edge-sr fleet plan`. "share" is the part of a board's time that a camera takes, "holds"
how many such cameras the board alone would run.

| {head} |
|---|---|---|---|---|---|---|
{rows}

{boards}
## Prometheus and Grafana

`prometheus --config.file=prometheus.yml` in this folder; import `grafana.json` as a dashboard.
"""
BOARD = """\
## {name}: {host}

{load}

```bash
scp -r boards/{name} {host}:edge-sr-plan && ssh -t {host}
sudo install -D -m 644 -t /etc/edge-sr edge-sr-plan/*.toml
sudo install -D -m 600 -t /etc/edge-sr edge-sr-plan/*.env
sudo install -m 644 -t /etc/systemd/system edge-sr-plan/*.service && rm -r edge-sr-plan
sudo systemctl daemon-reload && sudo systemctl enable --now {units}
```

Or as containers: `docker compose up --detach` in `boards/{name}`.

"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of `plan`."""
    command = add_command(
        commands,
        "plan",
        "Place cameras on boards by measured or estimated times, and write all files for it.",
        summary="place cameras on boards, and write all files for it",
        examples=EXAMPLES,
    )
    command.add_argument("file", type=Path, metavar="FILE.toml", help="boards and cameras")
    command.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="folder to write (default: only show)"
    )
    command.add_argument(
        "--force", action="store_true", help="replace an existing folder; its tokens stay the same"
    )
    command.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 when every camera has a place and the files were written.

    Raises:
        EdgeSRError: the file is wrong; a camera does not fit; the folder cannot be written.
    """
    fleet = read_fleet(args.file)
    plan = make_plan(fleet, Costs(fleet.boards, args.file.parent))
    print(format_table([Row(cells) for cells in _rows(plan)], head=HEAD, right=(2, 3, 4, 5)))
    for name, board in fleet.boards.items():
        print(f"{name}: {_load(board, plan.placed[name])}")
    for line in plan.refused:
        print(line)
    if plan.refused:
        count = f"{len(plan.refused)} of {len(fleet.cameras)} cameras do not fit"
        raise EdgeSRError(f"{args.file}: {count}; nothing was written")
    if args.output is not None:
        write_plan(args.output, plan, force=args.force)
        print(f"{args.output}: written; plan.md there has the next steps")
    return 0


def write_plan(folder: Path, plan: Plan, *, force: bool = False) -> None:
    """Write everything into a folder that appears whole or not at all.

    Raises:
        MediaError: it exists without `force`, holds something else, or cannot be written.
    """
    if folder.exists() and not force:
        raise MediaError(f"{folder}: exists; use --force to replace it (its tokens stay the same)")
    if folder.exists() and any(folder.iterdir()) and not (folder / "plan.md").is_file():
        raise MediaError(f"{folder}: is not a plan of edge-sr fleet; give another folder")
    tokens = {name: _token(folder / "tokens" / name) for name in plan.placed}
    with whole_folder(folder, error=MediaError) as part:
        (part / "tokens").mkdir(mode=0o700)
        for name, placed in plan.placed.items():
            write_secret(part / "tokens" / name, tokens[name])
            (part / "boards" / name).mkdir(parents=True)
            write_board(part / "boards" / name, name, plan.fleet.boards[name], placed, tokens[name])
        (part / ".gitignore").write_text("tokens/\n*.env\n")
        (part / "prometheus.yml").write_text(scrape_file(plan))
        (part / "alerts.yml").write_text(alert_file())
        (part / "grafana.json").write_text(dashboard())
        (part / "plan.md").write_text(_page(plan))


def _token(path: Path) -> str:
    """The token that a board has already, or a new one."""
    return path.read_text() if path.is_file() else secrets.token_urlsafe(18)


def _rows(plan: Plan) -> list[tuple[str, ...]]:
    return [
        (
            name,
            item.camera.name,
            f"{item.cost.frame_ms:.2f}",
            f"{item.camera.fps:g}",
            f"{item.share:.1%}",
            str(holds(plan.fleet.boards[name], item)),
            item.cost.source,
        )
        for name, placed in plan.placed.items()
        for item in placed
    ]


def _load(board: Board, placed: list[Placed]) -> str:
    count = f"{len(placed)} cameras" if len(placed) != 1 else "1 camera"
    return f"{count}, {taken(placed):.0%} of its time taken, {board.load:.0%} may be planned"


def _page(plan: Plan) -> str:
    boards = []
    for name, placed in plan.placed.items():
        board = plan.fleet.boards[name]
        pages = [
            f"- {item.camera.name}: {hide_credentials(item.camera.address)}, page "
            f"http://{board.host}:{item.port}/"
            for item in placed
        ]
        if placed:
            units = " ".join(PREFIX + item.camera.name for item in placed)
            load = "\n".join([f"{_load(board, placed)}.", "", *pages])
            boards.append(BOARD.format(name=name, host=board.host, load=load, units=units))
    rows = "\n".join(f"| {' | '.join(cells)} |" for cells in _rows(plan))
    return PAGE.format(head=" | ".join(HEAD), rows=rows, boards="".join(boards))

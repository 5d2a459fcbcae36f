"""The text of the systemd unit, and how a word is written in it."""

from __future__ import annotations

import shlex

UNIT = """\
# written by edge-sr service install; systemctl edit {name} adds to it
[Unit]
Description=edge-sr {described}
Documentation=man:systemd.service(5)
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
{environment}Restart=on-failure
RestartSec=5
WatchdogSec=30
TimeoutStartSec=180
TimeoutStopSec=15
SuccessExitStatus=130 143
{identity}
StateDirectory={name}
CacheDirectory={name}
WorkingDirectory=%S/{name}
Environment=XDG_CACHE_HOME=%C/{name} PYTHONUNBUFFERED=1

# no MemoryDenyWriteExecute: CUDA and TensorRT compile at run time
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0027
{writable}
[Install]
WantedBy=multi-user.target
"""


def quote(word: str) -> str:
    """A word as systemd reads it."""
    word = word.replace("%", "%%").replace("$", "$$")
    return (
        word
        if shlex.quote(word) == word
        else '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )

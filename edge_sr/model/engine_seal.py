"""The seal of an engine's sidecar: a digest that tells when a byte of it was changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

from edge_sr.errors import ModelFileError
from edge_sr.model.engine_facts import SEAL, EngineFacts
from edge_sr.model.sidecar import Sidecar


def seal(sidecar: Sidecar, facts: EngineFacts) -> Sidecar:
    """The sidecar of an engine, closed with a digest over all that it says."""
    engine = facts.to_dict()
    return replace(sidecar, engine=engine | {SEAL: _digest(replace(sidecar, engine=engine))})


def facts_of(sidecar: Sidecar) -> EngineFacts:
    """The engine facts of a loaded sidecar whose seal holds: no byte of it was changed.

    Raises:
        ModelFileError: it is no engine's, a field is wrong, or it was changed since it was written.
    """
    facts = EngineFacts.from_dict(sidecar.engine)
    engine = {key: value for key, value in sidecar.engine.items() if key != SEAL}
    if sidecar.engine.get(SEAL) != _digest(replace(sidecar, engine=engine)):
        raise ModelFileError(f"{sidecar.name}: its sidecar was changed; build the engine again")
    return facts


def _digest(sidecar: Sidecar) -> str:
    return hashlib.sha256(json.dumps(asdict(sidecar), sort_keys=True).encode()).hexdigest()

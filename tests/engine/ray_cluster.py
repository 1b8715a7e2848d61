"""Five users, twenty drawings, a Ray cluster of two nodes on loopback: an actor is killed on the
way, then a node. Then the same drawings in one process. A program of its own: Ray is everywhere in
the process that it is in.

    python ray_cluster.py FOLDER      prints, as JSON, what became of the drawings
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # nodes are at 127.0.0.1
import ray
import torch
from ray._private.state import actors
from ray.cluster_utils import Cluster

sys.path.append(str(Path(__file__).parents[1] / "server"))
from backends import Front, backend, front, submit

from limner.engine import ray as engines_on_ray
from limner.engine.base import Engine
from limner.engine.inprocess import InProcess
from limner.server.app import Server
from limner_wire import messages as m

USERS, EACH = ("ada", "eve", "kim", "lee", "max"), 4
STEPS, SIZE = 80, {"strokes": 12, "cutouts": 4}
ACTOR_AFTER, NODE_AFTER = 4, 10  # results
NODE = {"object_store_memory": 80_000_000, "node_ip_address": "127.0.0.1"}
JOBS = {
    user: [f"{u:08x}-0000-4000-8000-{k:012x}" for k in range(EACH)] for u, user in enumerate(USERS)
}


async def drawn(folder: Path, engines: Sequence[Engine], on: Callable[[int], None]) -> Any:
    """What became of all drawings. `on` hears how many there are so far."""
    done: dict[str, Any] = {}
    ages: list[float] = []

    async def ask(server: Server, user: str) -> None:
        ticket = server.keys.ticket(time.monotonic(), user)
        async with front(server, user, ticket=ticket) as one:
            for seed, job in enumerate(JOBS[user]):
                await one.ask(submit(job, STEPS, seed=seed, **SIZE))
            left = set(JOBS[user])
            while left:
                heard = await patient(one)
                message = heard.message
                if isinstance(message, m.StrokesFrame):
                    ages.append(time.monotonic() - message.at)
                elif isinstance(message, m.Done):
                    left.remove(message.job)
                    files = {k: bytes(heard.buffers[k].data) for k in ("svg", "png")}
                    done[message.job] = {
                        "of": user, "state": message.state,
                        **{k: hashlib.sha256(v).hexdigest() for k, v in files.items()},
                    }  # fmt: skip
                    on(len(done))
                elif isinstance(message, m.Failed):
                    raise AssertionError(message)

    async with backend(folder, engines[0], others=engines[1:]) as server:
        await asyncio.gather(*(ask(server, user) for user in USERS))
        for job, row in done.items():
            events = server.store.events(job)
            row["dones"] = sum(event["t"] == "done" for event in events)
            row["queued"] = sum(event.get("state") == "queued" for event in events)
    cuts = statistics.quantiles(ages, n=100)
    return {"jobs": done, "p50": cuts[49], "p99": cuts[98], "frames": len(ages)}


async def patient(one: Front) -> Any:
    async with asyncio.timeout(120):
        return await one._client.next()


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    head = {"num_cpus": 0, "include_dashboard": False, **NODE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=2, **NODE) for _ in range(2)]
    cluster.wait_for_nodes()
    engines = engines_on_ray.engines(cluster.address, 1)
    found: dict[str, Any] = {"engines": len(engines)}

    def disturb(count: int) -> None:
        if count == ACTOR_AFTER:
            ray.kill(engines[0]._actor, no_restart=False)
        if count == NODE_AFTER:
            where = actors(engines[1]._actor._actor_id.hex())["Address"]["NodeID"]
            cluster.remove_node(next(n for n in nodes if n.node_id == where), allow_graceful=False)

    found["ray"] = asyncio.run(drawn(folder / "ray", engines, disturb))
    ray.shutdown()
    cluster.shutdown()
    alone = [InProcess(torch.device("cpu"))]
    found["alone"] = asyncio.run(drawn(folder / "alone", alone, lambda _count: None))
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

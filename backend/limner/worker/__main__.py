"""The worker as a process: `python -m limner.worker`, which `engine.zeromq` starts.

Its first line of input says where to connect and with which keys. Its input then stays open for as
long as the server lives: when it ends, the server is gone, and so is the worker. One thread talks
to the server (commands in, a beat out every second, whatever the work does); the main thread works.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import Any

import torch
import zmq

from limner.models.device import best_device
from limner.worker.worker import Parts, Worker

BEAT_MS = 1000
DEVICE_LOST = 4  # exit code


def main() -> None:
    """Work until told to stop, or until the server is gone."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = json.loads(sys.stdin.readline())
    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    context = zmq.Context()
    results = _connected(context, zmq.PUSH, settings, "results")

    name = settings["name"].encode()

    def tell(parts: Parts) -> None:
        results.send_multipart([name, *parts], copy=False)

    worker = Worker(best_device(), tell)
    threading.Thread(target=_leave_with_the_server, daemon=True).start()
    talking = threading.Thread(target=_talk, args=(context, settings, worker), daemon=True)
    talking.start()
    try:
        worker.work()
    except torch.AcceleratorError:
        logging.exception("the device is lost to this process")
        os._exit(DEVICE_LOST)
    talking.join()
    results.close(linger=3000)
    context.term()


def _talk(context: zmq.Context[Any], settings: dict[str, Any], worker: Worker) -> None:
    commands = _connected(context, zmq.DEALER, settings, "commands")
    commands.send_multipart(worker.beat())  # the server can't speak first
    while True:
        if commands.poll(BEAT_MS):
            parts: Parts = commands.recv_multipart()
            try:
                worker.receive(parts)
            except Exception:
                logging.exception("a command was not understood")
            if parts == [b"stop"]:
                commands.close(linger=0)
                return
        else:
            commands.send_multipart(worker.beat())


def _connected(
    context: zmq.Context[Any], kind: int, settings: dict[str, Any], name: str
) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.curve_serverkey = settings["server_key"].encode()
    socket.curve_publickey = settings["public_key"].encode()
    socket.curve_secretkey = settings["secret_key"].encode()
    if kind == zmq.DEALER:
        socket.identity = settings["name"].encode()
    socket.connect(settings[name])
    return socket


def _leave_with_the_server() -> None:
    while sys.stdin.read(4096):
        pass
    os._exit(3)  # whatever the main thread is doing


if __name__ == "__main__":
    main()

"""Starts the server: `python -m server [--port N] [--record-only] [--keep]`, from the folder above.

Binds 127.0.0.1, prints one line {"port": N, "pid": P} when it takes requests, and ends on SIGTERM or when standard
input closes, so that a test process that dies takes it along.
"""

import argparse
import json
import os
import signal
import sys
import threading


def main():
    arguments = argparse.ArgumentParser(prog="server", description="The AWS API server of the tests.")
    arguments.add_argument("--port", type=int, default=0, help="default: the kernel picks a free one")
    arguments.add_argument("--record-only", action="store_true", help="note violations, but pass the request on")
    arguments.add_argument("--keep", action="store_true", help="do not end when standard input closes")
    chosen = arguments.parse_args()
    if not chosen.keep:
        threading.Thread(target=_end_with_parent, daemon=True).start()

    # Two images instead of moto's thousand: each account makes its own copy of them at its first EC2 call.
    os.environ.setdefault("MOTO_AMIS_PATH", os.path.join(os.path.dirname(os.path.abspath(__file__)), "images.json"))
    os.environ.setdefault("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "1")
    from .app import Server  # takes seconds: after the watch over standard input
    from .http import HttpServer

    server = HttpServer(chosen.port, Server(chosen.record_only))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print(json.dumps({"port": server.server_port, "pid": os.getpid()}), flush=True)
    server.serve_forever()


def _end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()

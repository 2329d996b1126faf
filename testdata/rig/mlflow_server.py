"""Runs `mlflow server` with its files in DIR, on SQLite unless --backend-store-uri names another database. Prints READY <url>, and ends when its standard input does.

  mlflow_server.py DIR [OPTION OF MLFLOW SERVER]...
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request


def main():
    directory = os.path.abspath(sys.argv[1])
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # The process group is killed as a whole at the end, since mlflow would leave its workers behind.
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    options = sys.argv[2:]
    if "--backend-store-uri" not in options:
        options += ["--backend-store-uri", f"sqlite:///{directory}/mlflow.db"]
    url = f"http://127.0.0.1:{port}"
    if "--static-prefix" in options:
        url += options[options.index("--static-prefix") + 1]
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
         "--artifacts-destination", f"{directory}/artifacts", *options],
        stdin=subprocess.DEVNULL, stdout=sys.stderr, cwd=directory,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while server.poll() is None:
            try:
                with urllib.request.urlopen(url + "/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.1)
        if server.poll() is None:
            print("READY", url, flush=True)
            sys.stdin.read()
    finally:
        os.killpg(0, signal.SIGKILL)


main()

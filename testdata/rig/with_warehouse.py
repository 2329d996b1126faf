"""Runs a command while a warehouse.py runs, which all its test binaries share (internal/rig: SharedWarehouse).

    .rig/venv/bin/python testdata/rig/with_warehouse.py go test -tags rig ./...
"""

import os
import shutil
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
rig = os.environ.get("TRACEMIG_RIG_DIR") or os.path.join(here, "..", "..", ".rig")
folder = tempfile.mkdtemp(prefix="tracemig-warehouse-")
code = 1
try:
    with open(os.path.join(folder, "warehouse.log"), "w") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                os.path.join(here, "warehouse.py"),
                "--dir",
                folder,
                "--jars",
                os.path.join(rig, "jars"),
                "--few-rows",
                "--memory",
                "3g",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    ready = server.stdout.readline().split()
    if ready[:1] != ["READY"]:
        with open(os.path.join(folder, "warehouse.log")) as log:
            sys.exit("the warehouse did not start:\n" + log.read()[-8000:])
    code = subprocess.call(sys.argv[1:], env=os.environ | {"TRACEMIG_RIG_WAREHOUSE": ready[1] + " " + folder})
    server.stdin.close()  # The server ends when its standard input does.
    server.wait(30)
finally:
    shutil.rmtree(folder, ignore_errors=True)
sys.exit(code)

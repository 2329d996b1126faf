"""Runs the tracemig binary as a task of a Databricks job: tracemig.py BINARY SECRET_SCOPE ARGUMENTS...

A job has no task type for a plain binary; a Python file is the smallest that can start one.
"""

import os
import shutil
import subprocess
import sys
import tempfile

from databricks.sdk import WorkspaceClient

binary, scope, *arguments = sys.argv[1:]
workspace = WorkspaceClient()
with tempfile.TemporaryDirectory() as folder:
    # Files in a volume may not be executable.
    program = os.path.join(folder, "tracemig")
    shutil.copyfile(binary, program)
    os.chmod(program, 0o700)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": folder,
        # The checkpoint needs a disk with file locks, which a volume does not have. It is deleted with the task, and the
        # next task rebuilds it from the target.
        "XDG_STATE_HOME": os.path.join(folder, "state"),
        "DATABRICKS_HOST": workspace.config.host,
        "DATABRICKS_CLIENT_ID": workspace.dbutils.secrets.get(scope, "client-id"),
        "DATABRICKS_CLIENT_SECRET": workspace.dbutils.secrets.get(scope, "client-secret"),
    }
    code = subprocess.run([program, *arguments], env=environment).returncode

# Exit code 3 means that some traces failed, which another try would hardly change: the summary names them. 5 is a limit that was
# given, and the next run goes on.
if code not in (0, 3, 5):
    sys.exit(f"tracemig {arguments[0]} ended with exit code {code}: see its output above")

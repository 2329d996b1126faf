"""Runs a PostgreSQL or MariaDB server on the loopback address, with data of its own that is gone at the end. Prints READY <uri>
with the URI of a database that every user has, and ends when its standard input does.

  database.py serve postgresql|mysql FOLDER
  database.py create URI NAME

FOLDER is where databases.sh found the server's programs. `create` makes an empty database and prints two URIs of it: that of its
owner, for mlflow server, and that of a user who may only read.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# The passwords are also written as a URI has them.
OWNER, OWNERS, OWNERS_IN_URI = "tracemig", "own/er%p@ss", "own%2Fer%25p%40ss"
READER, READERS, READERS_IN_URI = "reader", "read%er:p@ss", "read%25er%3Ap%40ss"
DIALECTS = {"postgresql": "postgresql+psycopg2", "mysql": "mysql+pymysql"}


def postgresql(folder, data, user, port):
    """Returns the server's command, once its data directory is made."""
    with open(f"{data}/password", "w") as f:
        f.write(OWNERS)
    shutil.chown(f.name, user)
    run([f"{folder}/initdb", "--pgdata", f"{data}/pg", "--username", OWNER, "--pwfile", f.name, "--auth", "scram-sha-256",
         "--encoding", "UTF8", "--locale", "C", "--no-sync"], user)
    settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "listen_addresses": "127.0.0.1", "port": port,
                "unix_socket_directories": data}
    return [f"{folder}/postgres", "-D", f"{data}/pg", *(f"--{name}={value}" for name, value in settings.items())]


def mysql(folder, data, user, port):
    """Returns the server's command, once its data directory is made."""
    install = shutil.which("mariadb-install-db") or f"{folder}/mariadb-install-db"
    run([install, "--no-defaults", f"--datadir={data}/my", f"--user={user}", "--skip-test-db", "--auth-root-authentication-method=normal"])
    with open(f"{data}/init.sql", "w") as f:
        f.write(f"CREATE USER {OWNER} IDENTIFIED BY '{OWNERS}';\nGRANT ALL ON *.* TO {OWNER};\n"
                f"CREATE USER {READER} IDENTIFIED BY '{READERS}';\nGRANT SELECT ON *.* TO {READER};\n")
    os.chmod(f.name, 0o644)
    return [f"{folder}/mariadbd", "--no-defaults", f"--datadir={data}/my", f"--socket={data}/my.sock", f"--port={port}",
            "--bind-address=127.0.0.1", "--skip-log-bin", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=0", "--character-set-server=utf8mb4", f"--init-file={data}/init.sql"]


def run(command, user=None):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, user=user, cwd="/")


def connect(uri):
    import sqlalchemy

    return sqlalchemy.create_engine(uri, isolation_level="AUTOCOMMIT").connect()


def answers(uri):
    import sqlalchemy

    try:
        connect(uri).close()
        return True
    except sqlalchemy.exc.OperationalError:
        return False


def serve(engine, folder):
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    # The servers refuse to run as root.
    user = pwd.getpwuid(os.geteuid()).pw_name
    if user == "root":
        wanted = {"postgresql": "postgres", "mysql": "mysql"}[engine]
        user = wanted if wanted in [p.pw_name for p in pwd.getpwall()] else "nobody"
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    uri = f"{DIALECTS[engine]}://{OWNER}:{OWNERS_IN_URI}@127.0.0.1:{port}/{'postgres' if engine == 'postgresql' else 'mysql'}"
    data = tempfile.mkdtemp(prefix=f"tracemig-{engine}-")
    shutil.chown(data, user)
    server = None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        command = {"postgresql": postgresql, "mysql": mysql}[engine](folder, data, user, port)
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, user=user, cwd="/")
        while server.poll() is None and not answers(uri):
            time.sleep(0.05)
        if server.poll() is None:
            if engine == "postgresql":
                from sqlalchemy import text

                with connect(uri) as c:
                    c.execute(text(f"CREATE ROLE {READER} LOGIN PASSWORD '{READERS}' IN ROLE pg_read_all_data"))
            print("READY", uri, flush=True)
            sys.stdin.read()
    finally:
        if server:
            server.send_signal(signal.SIGQUIT if engine == "postgresql" else signal.SIGKILL)  # without a checkpoint
            server.wait()
        shutil.rmtree(data, ignore_errors=True)


def create(uri, name):
    from sqlalchemy import text

    with connect(uri) as c:
        c.execute(text(f"CREATE DATABASE {name}"))
    owners = uri[: uri.rindex("/") + 1] + name
    print(owners)
    print(owners.replace(f"{OWNER}:{OWNERS_IN_URI}@", f"{READER}:{READERS_IN_URI}@"))


if __name__ == "__main__":
    {"serve": serve, "create": create}[sys.argv[1]](*sys.argv[2:])

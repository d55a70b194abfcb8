"""Slurm's accounting for a cluster of tests: MariaDB and slurmdbd, started and stopped without systemd."""

import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cluster import ENVIRONMENT, ETC, start_munge, wait

NEEDED = ("mariadbd", "mariadb-install-db", "mariadb", "slurmdbd", "sacct")
PORT = 13306
PREPARE = """
create database slurm_acct_db;
create user 'slurm'@'127.0.0.1' identified by 'onenode', 'slurm'@'localhost' identified by 'onenode';
grant all on slurm_acct_db.* to 'slurm'@'127.0.0.1', 'slurm'@'localhost';
"""
CONFIG = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={port}
StorageUser=slurm
StoragePass=onenode
StorageLoc=slurm_acct_db
"""


def impossible() -> str | None:
    """Why there can be no accounting here, None where there can."""
    absent = [name for name in NEEDED if shutil.which(name, path=ENVIRONMENT["PATH"]) is None]
    return f"no accounting: {', '.join(absent)} not found" if absent else None


@dataclass(frozen=True)
class Accounting:
    """The daemon that ``sacct`` asks, with its data base in the ``folder`` of the cluster."""

    folder: Path

    def start(self) -> None:
        """Make an empty data base, and start what answers for it."""
        self._start_database()
        start_munge(self.folder)
        host = socket.gethostname().partition(".")[0]
        path = self.folder / "slurmdbd.conf"
        path.write_text(CONFIG.format(host=host, folder=self.folder, port=PORT))
        path.chmod(0o600)
        (ETC / path.name).unlink(missing_ok=True)
        (ETC / path.name).symlink_to(path)
        subprocess.run(["slurmdbd"], env=ENVIRONMENT, check=True)
        log = self.folder / "slurmdbd.log"
        wait(lambda: log.exists() and " started" in log.read_text(), "slurmdbd does not start", 60)

    def stop(self) -> None:
        """End both; the data base goes with its folder."""
        for name in ("slurmdbd", "mariadbd"):
            path = self.folder / f"{name}.pid"
            if path.exists():
                os.kill(int(path.read_text()), signal.SIGTERM)
                wait(lambda path=path: not path.exists(), f"{name} does not end", 60)
        (ETC / "slurmdbd.conf").unlink(missing_ok=True)

    def _start_database(self) -> None:
        where = self.folder / "sql"
        place = ["--no-defaults", "--user=root", f"--datadir={self.folder / 'data'}"]
        subprocess.run(["mariadb-install-db", *place], env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
        serve = [f"--socket={where}", f"--pid-file={self.folder / 'mariadbd.pid'}", f"--port={PORT}"]
        small = ["--bind-address=127.0.0.1", "--innodb-buffer-pool-size=64M"]
        # slurmdbd asks for it
        patient = ["--innodb-lock-wait-timeout=900"]
        with (self.folder / "mariadbd.log").open("w") as log:
            subprocess.Popen(
                ["mariadbd", *place, *serve, *small, *patient], env=ENVIRONMENT, stdout=log, stderr=log
            )
        wait(where.exists, "MariaDB does not start", 60)
        subprocess.run(["mariadb", "--no-defaults", f"--socket={where}", "-e", PREPARE], check=True)

"""``python -m workers``: run a worker until TERM, INT or QUIT."""

import logging
import warnings

from celery.platforms import SecurityWarning

from core import log
from workers.app import app, settings


def main() -> None:
    """Start Celery with a thread for every slot, the small one too."""
    log.configure(settings.log_level, settings.log_format)
    # Celery warns root because of pickle, which is off here. Our own lines say what runs; Celery's would repeat them.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=threads",
            f"--concurrency={settings.worker_slots + 1}",  # one for short work
            f"--hostname={settings.worker_name or 'epochd'}@%h",
            f"--loglevel={settings.log_level}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )


if __name__ == "__main__":
    main()

"""The Celery worker: claims jobs, runs each in a child process of its own, and records what it reports."""

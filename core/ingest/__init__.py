"""Uploaded files to a data set file: archives, pictures, recordings, tables, series and texts, read under limits.

Pure functions on files: no database, no HTTP, no torch. ``unpack`` opens archives, ``kinds`` finds out what the files
are, a reader for each container makes ``Samples`` of them, ``arrange`` names classes and splits, ``pack`` writes.
"""

from core.ingest.findings import Refused
from core.ingest.ingest import Ingested, ingest
from core.ingest.unpack import Upload

__all__ = ["Ingested", "Refused", "Upload", "ingest"]

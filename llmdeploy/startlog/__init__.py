"""What an engine prints when it starts, as numbers: its memory term by term, for each GPU."""

from __future__ import annotations

from llmdeploy.startlog.model import Boot, Failure, StartLog
from llmdeploy.startlog.reader import Unreadable, read

__all__ = ["Boot", "Failure", "StartLog", "Unreadable", "read"]

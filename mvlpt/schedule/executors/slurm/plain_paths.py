"""Folders whose names contain ``%j``, ``%t``, ``%A`` or ``%a``, which submitit would replace by numbers of the job.

Run as a module it is submitit's own entry point on a node, with these paths: ``python -m ... FOLDER``.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

TAGS = ("%j", "%t", "%A", "%a")


def keep_folders_plain() -> None:
    """Lets submitit replace tags in the names of its files only, in this process."""
    from submitit.core.utils import JobPaths

    format_id = JobPaths._format_id
    if getattr(format_id, "plain", False):
        return

    def format_name(self: Any, path: str | Path) -> Path:
        path = Path(path)
        return path if path == self._folder else path.parent / format_id(self, path.name)

    format_name.plain = True
    JobPaths._format_id = format_name
    JobPaths.get_first_id_independent_folder = staticmethod(lambda folder: Path(folder).expanduser().absolute())


def plain_executor(folder: Path, **options: Any) -> Any:
    """submitit's executor for a folder that contains tags, on the nodes too."""
    from submitit import SlurmExecutor

    class PlainFolder(SlurmExecutor):
        @property
        def _submitit_command_str(self) -> str:
            return f"{self.python} -u -m {__spec__.name} {shlex.quote(str(self.folder))}"

    keep_folders_plain()
    return PlainFolder(folder, **options)


if __name__ == "__main__":
    from submitit.core.submission import submitit_main

    keep_folders_plain()
    submitit_main()

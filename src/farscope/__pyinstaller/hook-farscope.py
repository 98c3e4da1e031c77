"""What PyInstaller cannot find by following imports: modules loaded by name, the page's files, the version.

Logs, commands and the public names are loaded when they are first used, and named by strings.
"""

from __future__ import annotations

from PyInstaller.utils.hooks import collect_data_files, collect_submodules, copy_metadata


def _is_for_programs(name: str) -> bool:
    return not name.startswith(("farscope.testing", "farscope.__pyinstaller"))


hiddenimports = collect_submodules("farscope", filter=_is_for_programs, on_error="ignore")
datas = collect_data_files("farscope") + copy_metadata("farscope")

"""Writes the files of a new project, all or none of them."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from string import Template

from lymph.cli._projects.names import ProjectName

__all__ = ['make_project', 'project_files']

_TEMPLATES = Path(__file__).parent / 'templates'

#: The files, and the templates that they are made of.
_FILES = {
    '.lymph.yml': 'configuration.txt',
    '{name}.py': 'service.txt',
    'test_{name}.py': 'tests.txt',
    'README.md': 'readme.txt',
}


def project_files(project: ProjectName) -> dict[str, str]:
    """Return what the files of a project hold, by their names."""
    names = {'name': project.name, 'Class': project.cls}
    return {
        file.format(name=project.name): Template((_TEMPLATES / template).read_text()).substitute(
            names
        )
        for file, template in _FILES.items()
    }


def make_project(folder: Path, files: dict[str, str]) -> None:
    """Make a folder with files; raises OSError, and then nothing of it is left.

    The files are written into a folder beside it, which gets its name when all of them are there.
    """
    if os.path.lexists(folder):
        raise FileExistsError(f'{folder} exists')
    unfinished = folder.with_name(f'.{folder.name}.{secrets.token_hex(4)}')
    unfinished.mkdir()
    try:
        for name, text in files.items():
            (unfinished / name).write_text(text, encoding='utf-8')
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise

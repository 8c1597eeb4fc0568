"""Which version of the product this is: of the installed package, or of the checkout that it runs from."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path


def version() -> str:
    """As in pyproject.toml; "unknown" where neither package nor checkout is there."""
    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    if project.exists():
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])
    try:
        return metadata.version("akses")
    except metadata.PackageNotFoundError:
        return "unknown"

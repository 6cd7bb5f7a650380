"""Import of packages that only the extra ``speech`` brings."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from controller.prompts.errors import MissingPackageError


def load(module: str, *, extra: str = "speech") -> Any:
    """Import ``module`` or say which extra brings it.

    :raises MissingPackageError: the package isn't installed.
    """
    try:
        with warnings.catch_warnings():
            # jieba warns about its own use of pkg_resources and about its regular expressions.
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingPackageError(module.partition(".")[0], extra) from error

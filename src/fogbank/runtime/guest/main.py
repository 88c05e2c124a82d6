"""The program of the prepared parent. It is almost empty: what `import __main__` finds belongs to the function."""

# ruff: noqa: PTH100, PTH120 - pathlib would be in every function

import importlib
import os
import sys

_folder = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, _folder)  # for what lies beside this file, and not for what functions import
_zygote = importlib.import_module("zygote")
sys.path.remove(_folder)
del _folder
_zygote.begin()

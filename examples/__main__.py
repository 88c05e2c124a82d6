"""Runs an example's demo: `python examples orders`. Without a name it says which there are."""

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Run the demo with what it shares with the others, which is in this folder, and its own files in reach."""
    names = sorted(demo.parent.name for demo in HERE.glob("*/demo.py"))
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        sys.exit(f"usage: python examples {'|'.join(names)}")
    folder = HERE / sys.argv[1]
    sys.path[:0] = [str(folder), str(HERE)]
    runpy.run_path(str(folder / "demo.py"), run_name="__main__")


main()

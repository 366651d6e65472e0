"""The commands on the pages for people.

Above a block of commands that no test finds by itself, a comment says which test runs it, or why
none does: `<!-- run by tests/… -->` or `<!-- not run: … -->`.
"""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "infra/kubernetes/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]  # fmt: skip


def name_of(page: Path) -> str:
    """Its path as a link from the README has it."""
    return str(page.relative_to(ROOT))


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """Each block of commands, behind the comment above it."""
    pattern = r"(?:<!-- ([^\n]*) -->\n\n?)?```bash\n(.*?)```"
    return re.findall(pattern, page.read_text(), re.DOTALL)


def commands_of(block: str) -> list[list[str]]:
    """Arguments of each command, without what is said behind it."""
    lines = block.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]

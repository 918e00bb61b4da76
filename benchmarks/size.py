"""How many lines of code functions/ has: without blank lines, comments and docstrings.

python -m benchmarks.size [folder]
"""

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

FUNCTIONS = Path(__file__).parents[1] / "functions"
NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
}


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else FUNCTIONS
    lines: Counter[str] = Counter()
    for path in root.rglob("*.py"):
        lines[path.relative_to(root).parts[0]] += code_lines(path.read_text())
    for room, count in lines.most_common():
        print(f"{room:18} {count:>7,}")
    print(f"{'all':18} {lines.total():>7,}")


def code_lines(source: str) -> int:
    """The lines on which something is that Python runs."""
    texts = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node.value.value, str)
    )
    said = {line for node in texts for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    spans = (range(one.start[0], one.end[0] + 1) for one in tokens if one.type not in NO_CODE)
    return len({line for span in spans for line in span} - said)


if __name__ == "__main__":
    main()

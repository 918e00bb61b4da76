"""The benchmark of replay: the same corpus each time, and every way finds the same records."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.corpus import SHARE, make_corpus

SERVICE = "secretsmanager.amazonaws.com"


def content(folder: Path) -> dict[str, bytes]:
    files = sorted(folder.rglob("*.json.gz"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_the_corpus_is_always_the_same_in_the_layout_of_cloudtrail(tmp_path):
    make_corpus(tmp_path / "a", 3_000)
    make_corpus(tmp_path / "b", 3_000)
    first = content(tmp_path / "a")
    assert content(tmp_path / "b") == first
    assert all(name.startswith("AWSLogs/") and "/CloudTrail/" in name for name in first)
    records = [r for one in first.values() for r in json.loads(gzip.decompress(one))["Records"]]
    assert len(records) == 3_000
    share = sum(record["eventSource"] == SERVICE for record in records) / len(records)
    assert abs(share - SHARE) < 0.01


def test_it_runs_and_all_find_the_same():
    command = [sys.executable, "-m", "benchmarks.replay", "--records", "500", "--huge", "0.01"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr  # not zero where they differ
    for words in ("unzip and parse", "guardctl replay, ", "jq", "DuckDB", "One array of 0.01 GB"):
        assert words in result.stdout

"""Completes a release in the folder that holds the wheel: `release.py FOLDER`.

Adds the build as SAM made it, to be deployed without SAM's builders (`sam deploy --template-file
template.yaml` in the unpacked folder), the bill of materials, and the checksums of all files. The
same sources give the same bytes.
"""

import hashlib
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / ".aws-sam" / "build"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip file knows


def main(folder: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    pack(BUILD, folder / f"vpce-guard-{version}.zip")
    shutil.copy(ROOT / ".aws-sam" / "sbom.cdx.json", folder / f"vpce-guard-{version}.cdx.json")
    (folder / ".gitignore").unlink(missing_ok=True)  # uv's
    files = sorted(path for path in folder.iterdir() if path.name != "SHA256SUMS")
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (folder / "SHA256SUMS").write_text("".join(sums))
    for path in files:
        sys.stdout.write(f"{path.name}: {path.stat().st_size:,} bytes\n")


def pack(build: Path, archive: Path) -> None:
    """The build as a zip file, whose bytes depend on those of its files alone."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(path for path in build.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(build).as_posix(), EPOCH)
            entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))

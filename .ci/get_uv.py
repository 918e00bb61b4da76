"""Put uv's wheel into a folder with nothing but Python's standard library.

For machines whose Python has no pip, as Debian ships it. Elsewhere the Makefile asks pip, which
knows about mirrors and proxies. Usage: get_uv.py VERSION FOLDER
"""

import hashlib
import io
import json
import platform
import sys
import urllib.request
import zipfile
from pathlib import Path

INDEX = "https://pypi.org/simple/uv/"
JSON = "application/vnd.pypi.simple.v1+json"  # PEP 691
PLATFORMS = {
    ("Linux", "x86_64"): "manylinux_2_17_x86_64",
    ("Linux", "aarch64"): "manylinux_2_28_aarch64",
    ("Darwin", "x86_64"): "macosx_10_12_x86_64",
    ("Darwin", "arm64"): "macosx_11_0_arm64",
}


def download(url: str, accept: str = "*/*") -> bytes:
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - https only
    with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
        return response.read()


def main(version: str, folder: Path) -> None:
    machine = (platform.system(), platform.machine())
    if machine not in PLATFORMS:
        sys.exit(f"no uv for {machine}: install it by hand, see https://docs.astral.sh/uv/")
    files = json.loads(download(INDEX, JSON))["files"]
    wheels = [
        file
        for file in files
        if file["filename"].startswith(f"uv-{version}-py3-none-")
        and PLATFORMS[machine] in file["filename"]
    ]
    if not wheels:
        sys.exit(f"{INDEX} has no uv {version} for {PLATFORMS[machine]}")
    wheel = download(wheels[0]["url"])
    if hashlib.sha256(wheel).hexdigest() != wheels[0]["hashes"]["sha256"]:
        sys.exit(f"{wheels[0]['url']} is not the file that the index describes")
    binary = folder / "bin" / "uv"
    binary.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        binary.write_bytes(archive.read(f"uv-{version}.data/scripts/uv"))
    binary.chmod(0o755)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

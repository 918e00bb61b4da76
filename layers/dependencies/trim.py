"""Takes out of the layer what no function needs: `python trim.py <folder of packages>`.

Runs while SAM builds, with nothing but the standard library.

- botocore's data: of 400 services the few used, newest API version only, of each model the
  operations used and the shapes that they reach, no documentation. What is used stands in
  `operations.json`, which find_operations.py writes from the functions' code. The data is most of
  the layer's size, and reading EC2's model is half of the time that a client of it takes to make.
- what is installed along with a package and imported by no function: UNUSED;
- what is imported at every start and of no use at run time: the folder `lean` takes its place.
"""

import gzip
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

type Json = dict[str, Any]

UNUSED = (
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/batch",
    "aws_lambda_powertools/utilities/data_classes",
    "aws_lambda_powertools/utilities/data_masking",
    "aws_lambda_powertools/utilities/feature_flags",
    "aws_lambda_powertools/utilities/idempotency",
    "aws_lambda_powertools/utilities/kafka",
    "aws_lambda_powertools/utilities/parser",
    "aws_lambda_powertools/utilities/streaming",
    "aws_lambda_powertools/utilities/validation",
    "botocore/docs/bcdoc",
    "botocore/docs/[!_du]*.py",
    "boto3/data",  # models of boto3.resource
    "boto3/examples",
)

# Beside the models themselves: what botocore reads for any client.
SHARED_DATA = {
    "_retry.json",
    "endpoints.json",
    "partitions.json",
    "sdk-default-configuration.json",
}
MODEL, RULES, PAGINATORS, WAITERS = (
    "service-2",
    "endpoint-rule-set-1",
    "paginators-1",
    "waiters-2",
)


def main() -> None:
    site = Path(sys.argv[1])
    operations = json.loads(Path(__file__).with_name("operations.json").read_text())
    trim_data(site / "botocore" / "data", operations)
    trim_handlers(site / "botocore", operations)
    remove(site, UNUSED)
    replace(site, Path(__file__).with_name("lean"))
    for listing in site.glob("*.dist-info/RECORD"):
        listing.unlink()  # names what is no longer there
    shutil.rmtree(site / "bin", ignore_errors=True)  # commands, with the build's own paths in them


def remove(site: Path, patterns: Iterable[str]) -> None:
    """Remove files and folders. Raises FileNotFoundError for a pattern that matches none."""
    for pattern in patterns:
        found = list(site.glob(pattern))
        if not found:
            raise FileNotFoundError(f"{pattern}: no longer there; take it out of UNUSED")
        for path in found:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def replace(site: Path, lean: Path) -> None:
    """Put lean files in the place of installed ones. Raises FileNotFoundError without one."""
    for path in sorted(lean.rglob("*.py")):
        installed = site / path.relative_to(lean)
        installed.stat()
        shutil.copyfile(path, installed)


# --- botocore's data ------------------------------------------------------------------------------


def trim_data(data: Path, operations: dict[str, list[str]]) -> None:
    """Leave the models of the operations used. Raises KeyError for one that botocore lacks."""
    prefixes: set[str] = set()
    for entry in sorted(data.iterdir()):
        if entry.is_dir() and entry.name in operations:
            prefixes.add(trim_service(entry, operations[entry.name]))
        elif entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name not in SHARED_DATA:
            entry.unlink()
    missing = [name for name in operations if not (data / name).is_dir()]
    if missing:
        raise KeyError(f"botocore has no models of {missing}")
    endpoints = data / "endpoints.json"
    write(endpoints, trimmed_endpoints(read(endpoints), prefixes))


def trim_service(folder: Path, operations: list[str]) -> str:
    """Trim one service's models; returns the prefix of its endpoints."""
    *old, newest = sorted(folder.iterdir())
    for version in old:
        shutil.rmtree(version)
    models = [path for path in newest.iterdir() if ".sdk-extras." not in path.name]
    files = {path.name.split(".")[0]: path for path in models}
    model = trimmed_model(read(files[MODEL]), operations)
    replaced = {MODEL: model, RULES: read(files[RULES])}
    if PAGINATORS in files:
        pages = read(files[PAGINATORS])["pagination"]
        replaced[PAGINATORS] = {
            "pagination": {name: pages[name] for name in operations if name in pages}
        }
    if WAITERS in files:
        waiters = read(files[WAITERS])
        used = {
            name: one for name, one in waiters["waiters"].items() if one["operation"] in operations
        }
        replaced[WAITERS] = {**waiters, "waiters": used}
    for path in models:
        path.unlink()
    for name, content in replaced.items():
        write(newest / f"{name}.json", content)  # plain: unzipping costs time at every start
    return model["metadata"]["endpointPrefix"]


def trimmed_model(model: Json, operations: list[str]) -> Json:
    """The model of these operations alone."""
    kept = {name: model["operations"][name] for name in operations}
    shapes = {
        name: model["shapes"][name]
        for name in sorted(reached(model["shapes"], shapes_of(kept.values())))
    }
    return without_documentation({**model, "operations": kept, "shapes": shapes})


def shapes_of(operations: Iterable[Json]) -> Iterator[str]:
    for operation in operations:
        for part in ("input", "output"):
            if part in operation:
                yield operation[part]["shape"]
        yield from (error["shape"] for error in operation.get("errors", ()))


def reached(shapes: Json, start: Iterable[str]) -> set[str]:
    """The names of all shapes that these lead to."""
    found: set[str] = set()
    left = list(start)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        shape = shapes[name]
        parts = [*shape.get("members", {}).values()]
        parts += [shape[one] for one in ("member", "key", "value") if one in shape]
        left += [part["shape"] for part in parts]
    return found


def without_documentation(model: Json) -> Json:
    """The model without its texts. A member of a structure may itself be called documentation."""
    operations = {name: bare(one) for name, one in model["operations"].items()}
    shapes: Json = {}
    for name, shape in model["shapes"].items():
        shapes[name] = bare(shape)
        if "members" in shape:
            shapes[name]["members"] = {key: bare(one) for key, one in shape["members"].items()}
        for part in ("member", "key", "value"):
            if part in shape:
                shapes[name][part] = bare(shape[part])
    return {**bare(model), "operations": operations, "shapes": shapes}


def bare(value: Json) -> Json:
    return {key: one for key, one in value.items() if key != "documentation"}


HANDLERS = """

# Added by the build: hooks for documentation and for the services left out are not registered.
def _is_needed(event):
    what, _, rest = event.partition(".")
    return what != "docs" and (not rest or rest.split(".")[0] in {services!r})


BUILTIN_HANDLERS = [one for one in BUILTIN_HANDLERS if _is_needed(one[0])]
"""


def trim_handlers(botocore: Path, services: Iterable[str]) -> None:
    """Have botocore register hooks of these services alone; each takes it a while at every start.

    Their events name a service by its id, or by its older name (botocore.handlers, botocore.hooks).
    """
    ids = {"*"}
    for service in services:
        (folder,) = (botocore / "data" / service).iterdir()
        metadata = read(folder / f"{MODEL}.json")["metadata"]
        ids |= {service, metadata["serviceId"].lower().replace(" ", "-")}
    with (botocore / "handlers.py").open("a") as file:
        file.write(HANDLERS.replace("{services!r}", repr(sorted(ids))))


def trimmed_endpoints(endpoints: Json, prefixes: set[str]) -> Json:
    """The Regions and partitions with the endpoints of these services alone."""
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in services if name in prefixes}
    return endpoints


# --- files ----------------------------------------------------------------------------------------


def read(path: Path) -> Json:
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)


def write(path: Path, content: Json) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")))


if __name__ == "__main__":
    main()

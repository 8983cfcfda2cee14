"""Generate the Python code beside the .proto files, lint the contract, and name what has drifted apart.

Lives here: the protoc invocation and the comparison. Not here: the contract (``proto/interlock/v1/*.proto``).

    python ops/make_proto.py            write *_pb2.py, *_pb2.pyi, *_pb2_grpc.py, *_pb2_grpc.pyi; then lint
    python ops/make_proto.py --check    write nothing; exit 1 and name each file that is not up to date
    python ops/make_proto.py --no-lint  generate only (useful while a .proto is half written)

How a request rule reaches the engine
-------------------------------------
The rules are ``buf.validate`` options. ``protovalidate`` ships neither ``validate.proto`` nor a
``validate_pb2``, but its own message classes carry the descriptor of that file, so this script hands it to
protoc as a FileDescriptorSet (``--descriptor_set_in``). Our files name it with edition 2024's
``import option "buf/validate/validate.proto";``: protoc resolves and checks the options, writes them into
each field's options, and lists the file as an *option dependency*, which generated code does not import. So
a client imports neither ``buf`` nor ``google.api``; the options stay in the descriptor that ``*_pb2.py``
registers, as unknown fields. At run time ``protovalidate.validate(message)`` takes ``message.DESCRIPTOR``,
serialises those options and reads the bytes with its own compiled-in schema of ``buf.validate``: the rules
are enforced although no generated ``buf`` module exists.

Not guaranteed: that two releases of grpcio-tools or mypy-protobuf generate the same bytes. ``--check`` has
a meaning only with the versions locked in ``requirements-dev.txt``.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import grpc_tools
import protovalidate
from google.protobuf import descriptor_pb2
from google.rpc import status_pb2

ROOT = Path(__file__).resolve().parents[1]
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")
SCRIPTS = Path(sysconfig.get_path("scripts"))
PLUGIN_CHATTER = "Writing mypy to "


def find_protos(source: Path) -> list[str]:
    """Return every .proto below ``source``, as protoc names them, in a fixed order."""
    return sorted(path.relative_to(source).as_posix() for path in source.rglob("*.proto"))


def find_generated(source: Path) -> set[Path]:
    """Return the generated files below ``source``, relative to it."""
    return {path.relative_to(source) for pattern in GENERATED for path in source.rglob(pattern)}


def import_roots(source: Path) -> list[Path]:
    """Return where protoc looks for imports: ours, then ``google/{rpc,api}``, then ``google/protobuf``."""
    googleapis = Path(status_pb2.__file__).parents[2]
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    return [source, googleapis, well_known]


def write_rules(path: Path) -> None:
    """Write ``buf/validate/validate.proto`` as a FileDescriptorSet, taken from protovalidate's classes."""
    raw = protovalidate.ViolationPb.desc().file.proto.to_binary()
    rules = descriptor_pb2.FileDescriptorProto.FromString(raw)
    path.write_bytes(descriptor_pb2.FileDescriptorSet(file=[rules]).SerializeToString(deterministic=True))


def run(command: Sequence[str | Path]) -> bool:
    """Run ``command``, pass on what it says (but a plugin's progress lines); return whether it succeeded."""
    # A user's own PYTHON* settings must not reach what is generated.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True, env=environment)
    for line in (done.stdout + done.stderr).splitlines():
        if not line.startswith(PLUGIN_CHATTER):
            sys.stderr.write(line + "\n")
    return done.returncode == 0


def protoc(source: Path, rules: Path, arguments: Iterable[str], protos: Iterable[str]) -> bool:
    """Run protoc over ``protos`` of ``source`` with the rules' descriptor at hand."""
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={rules}"]
    return run([*command, *(f"-I{root}" for root in import_roots(source)), *arguments, *protos])


def write_image(source: Path, rules: Path, image: Path, protos: Iterable[str]) -> bool:
    """Write to ``image`` all files with their imports and comments, which is what ``buf lint`` reads."""
    return protoc(source, rules, ["--include_imports", "--include_source_info", f"-o{image}"], protos)


def files_with_services(image: Path, protos: Iterable[str]) -> list[str]:
    """Return those of ``protos`` that define a service: only these get a ``*_pb2_grpc`` module."""
    files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file
    serving = {file.name for file in files if file.service}
    return [proto for proto in protos if proto in serving]


def generate(source: Path, rules: Path, image: Path, target: Path, protos: Sequence[str]) -> bool:
    """Generate all modules and their type stubs below ``target``."""
    messages = [
        f"--plugin=protoc-gen-mypy={SCRIPTS / 'protoc-gen-mypy'}",
        f"--python_out={target}",
        f"--mypy_out={target}",
    ]
    services = [
        f"--plugin=protoc-gen-mypy_grpc={SCRIPTS / 'protoc-gen-mypy_grpc'}",
        f"--grpc_python_out={target}",
        f"--mypy_grpc_out={target}",
    ]
    serving = files_with_services(image, protos)
    generated = protoc(source, rules, messages, protos)
    return generated and (not serving or protoc(source, rules, services, serving))


def find_drift(source: Path, target: Path) -> list[Path]:
    """Return the generated files that differ between ``source`` and ``target``, or are in one only."""
    return sorted(
        path
        for path in find_generated(source) | find_generated(target)
        if not (source / path).is_file()
        or not (target / path).is_file()
        or (source / path).read_bytes() != (target / path).read_bytes()
    )


def copy_over(source: Path, target: Path, changed: Iterable[Path]) -> None:
    """Bring ``source`` to what ``target`` holds, which also removes modules whose .proto is gone."""
    for path in changed:
        if (target / path).is_file():
            shutil.copyfile(target / path, source / path)
        else:
            (source / path).unlink()
        sys.stdout.write(f"updated {path}\n")


def lint(image: Path) -> bool:
    """Lint our own package of the image with the rules of ``buf.yaml``."""
    return run([SCRIPTS / "buf", "lint", image, "--path", "interlock", "--config", ROOT / "buf.yaml"])


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Generate and lint the code of the contract.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on drift")
    parser.add_argument("--no-lint", dest="lint", action="store_false", help="leave out buf lint")
    parser.add_argument("--source", type=Path, default=ROOT / "proto", help="root of the .proto files")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Generate or check, then lint; return the exit code."""
    options = parse(arguments)
    source: Path = options.source.resolve()
    protos = find_protos(source)
    if not protos:
        sys.stderr.write(f"no .proto file below {source}\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="interlock-proto-") as folder:
        rules, image, target = (Path(folder) / name for name in ("rules.binpb", "image.binpb", "out"))
        target.mkdir()
        write_rules(rules)
        if not write_image(source, rules, image, protos):
            return 1
        if not generate(source, rules, image, target, protos):
            return 1
        drift = find_drift(source, target)
        if options.check:
            for path in drift:
                sys.stderr.write(f"{path}: not what its .proto generates; run `make proto` and commit\n")
        else:
            copy_over(source, target, drift)
        clean = lint(image) if options.lint else True
    return 0 if clean and not (options.check and drift) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Finds an installed Asterisk, or builds one from Debian's packages in a cached root directory.

The mirror, its proxy and its certificates are those of the machine's own apt: nothing here names a
host. How an instance is configured and run is not decided here, see `pbx.py`.
"""

import asyncio
import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.processes import LabError, run_to_end

REPOSITORY = Path(__file__).resolve().parents[2]

CHOICE_VARIABLE = "IVRD_LAB_ASTERISK"
"""Environment: `installed`, `sid` or `bullseye`; empty means installed if new enough, else sid."""

CACHE_VARIABLE = "IVRD_CACHE"
"""Environment: where built roots and logs are kept, instead of `.cache` in the repository."""

OLDEST_FOR_OVERFLOW = (18, 11)
"""QueueWithdrawCaller came with 16.25, 18.11 and 19.3."""

SUITES = ("sid", "bullseye")

OLDER_SUITE = "bullseye"
"""Has 16.28, the oldest Asterisk that the product is for; chosen scenarios are played on it too."""

RECIPE = 2
"""Raised when a root built before must not be used any more.

It is in the directory's name: a run that uses an older root goes on undisturbed.
"""

PACKAGES = ("asterisk", "asterisk-core-sounds-en-gsm", "libfaketime")

BUILD_S_MAX = 900.0
"""A slow mirror may need long; measured 35 s on 2 cores near a mirror."""

MARKER = "ivrd-root.json"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asterisk:
    """An Asterisk that can be run: the machine's own, or one in a root directory."""

    root: Path | None
    """None for the machine's own."""
    binary: str
    version: str
    """As `asterisk -V` prints it, without the name."""
    modules_dir: Path
    """As Asterisk sees it."""
    data_dir: Path
    """As Asterisk sees it."""

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor number."""
        return release_of(self.version)

    def argv(self, *arguments: str, environment: Mapping[str, str] | None = None) -> list[str]:
        """Return the command line that runs this Asterisk with `arguments`.

        Args:
            environment: set for Asterisk alone, not for what brings it into its root.
        """
        prefix = [] if self.root is None else ["chroot", str(self.root)]
        if environment:
            prefix += ["env", *(f"{name}={value}" for name, value in environment.items())]
        return [*prefix, self.binary, *arguments]

    def outside(self, path: Path) -> Path:
        """Return the path by which the machine finds what Asterisk calls `path`."""
        return path if self.root is None else self.root / path.relative_to("/")

    def inside(self, path: Path) -> Path:
        """Return the path by which Asterisk finds what the machine calls `path`."""
        return path if self.root is None else Path("/") / path.relative_to(self.root)

    def modules(self) -> frozenset[str]:
        """Return the names of all modules it has, such as `app_queue.so`."""
        return frozenset(path.name for path in self.outside(self.modules_dir).glob("*.so"))


def print_progress(text: str) -> None:
    """Tell a person at the terminal what is taking time."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


def cache_dir() -> Path:
    """Return the directory, made if needed, for what survives a run."""
    path = Path(os.environ.get(CACHE_VARIABLE) or REPOSITORY / ".cache").resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def release_of(version: str) -> tuple[int, int]:
    """Return major and minor number.

    Example:
        >>> release_of("22.10.1+dfsg+~cs6.17-1")
        (22, 10)
    """
    match = re.match(r"(\d+)\.(\d+)", version)
    if match is None:
        raise LabError(f"not a version of Asterisk: {version!r}")
    return int(match[1]), int(match[2])


async def find_asterisk(
    choice: str | None = None, *, progress: Progress = print_progress
) -> Asterisk:
    """Return an Asterisk that is ready to run, building one when the machine has none.

    Args:
        choice: `installed` or a suite; None takes it from the environment.
    """
    choice = choice or os.environ.get(CHOICE_VARIABLE) or ""
    if choice not in ("", "installed", *SUITES):
        raise LabError(f"{CHOICE_VARIABLE}={choice}: known are installed, {', '.join(SUITES)}")
    if choice in ("", "installed"):
        installed = find_installed()
        if installed is not None and (choice or installed.release >= OLDEST_FOR_OVERFLOW):
            return installed
        if choice:
            raise LabError(
                "no Asterisk is installed on PATH; install it or unset IVRD_LAB_ASTERISK"
            )
    return await _cached_root(choice or "sid", progress=progress)


async def find_all() -> list[Asterisk]:
    """Return every Asterisk that the tests use, built at once where they must be."""
    async with asyncio.TaskGroup() as group:
        found = [group.create_task(find_asterisk(), name="lab-asterisk")]
        if has_older():
            older = find_asterisk(OLDER_SUITE)
            found.append(group.create_task(older, name="lab-older-asterisk"))
    return [task.result() for task in found]


def has_older() -> bool:
    """Return whether this machine can have the older Asterisk: built in a root, by root, on Debian.

    Who gives an Asterisk of their own instead has only that one.
    """
    if os.environ.get(CHOICE_VARIABLE) == "installed" or os.geteuid() != 0:
        return False
    is_built = _read_marker(_root_of(OLDER_SUITE)) is not None
    return is_built or not _missing_build_tools()


def find_installed() -> Asterisk | None:
    """Return the Asterisk on PATH; None when there is none."""
    binary = shutil.which("asterisk", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return None if binary is None else _inspect(root=None, binary=binary)


def _inspect(*, root: Path | None, binary: str) -> Asterisk:
    base = root or Path("/")
    command = [binary, "-V"] if root is None else ["chroot", str(root), binary, "-V"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    modules = _first_dir(base, ("usr/lib/*/asterisk/modules", "usr/lib*/asterisk/modules"))
    data = _first_dir(base, ("usr/share/asterisk/sounds", "var/lib/asterisk/sounds")).parent
    return Asterisk(
        root=root,
        binary=binary,
        version=answer.stdout.strip().removeprefix("Asterisk "),
        modules_dir=Path("/") / modules.relative_to(base),
        data_dir=Path("/") / data.relative_to(base),
    )


def _first_dir(base: Path, patterns: tuple[str, ...]) -> Path:
    for pattern in patterns:
        for path in sorted(base.glob(pattern)):
            return path
    raise LabError(f"this Asterisk has none of {', '.join(patterns)} under {base}")


async def _cached_root(suite: str, *, progress: Progress) -> Asterisk:
    if os.geteuid() != 0:
        raise LabError(
            "an Asterisk in a root directory needs root (chroot); run as root, or install an "
            "Asterisk of at least 18.11 on this machine"
        )
    root = _root_of(suite)
    found = _read_marker(root)
    if found is None:
        async with _only_one(root.with_suffix(".lock"), progress=progress):
            found = _read_marker(root) or await _build(suite, root, progress=progress)
    _keep_names_local(root)
    return found


def _root_of(suite: str) -> Path:
    return cache_dir() / f"asterisk-{suite}-{RECIPE}"


def _read_marker(root: Path) -> Asterisk | None:
    try:
        marker = json.loads((root / MARKER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if marker["recipe"] != RECIPE:
        return None
    return Asterisk(
        root=root,
        binary=marker["binary"],
        version=marker["version"],
        modules_dir=Path(marker["modules_dir"]),
        data_dir=Path(marker["data_dir"]),
    )


def _write_marker(asterisk: Asterisk, *, suite: str, built_s: float) -> None:
    assert asterisk.root is not None
    marker = {
        "recipe": RECIPE,
        "suite": suite,
        "binary": asterisk.binary,
        "version": asterisk.version,
        "modules_dir": str(asterisk.modules_dir),
        "data_dir": str(asterisk.data_dir),
        "built_s": round(built_s, 1),
    }
    (asterisk.root / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")


@contextlib.asynccontextmanager
async def _only_one(path: Path, *, progress: Progress) -> AsyncIterator[None]:
    """Hold a lock that the kernel drops when this process dies."""
    with path.open("w") as lock:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    progress(f"another run holds {path.name}; waiting")
                    told = True
                await asyncio.sleep(0.2)
        yield


async def _build(suite: str, root: Path, *, progress: Progress) -> Asterisk:
    """Build in a directory beside and rename it at the end: a root that exists is whole."""
    _require_build_tools()
    building = _fresh_directory_beside(root)
    log_path = _fresh_log(f"asterisk-{suite}-build.log")
    started = time.monotonic()
    try:
        await _debootstrap(suite, building, log_path=log_path, progress=progress)
        await _install_asterisk(building, log_path=log_path, progress=progress)
        asterisk = _inspect(root=building, binary="/usr/sbin/asterisk")
        _write_marker(asterisk, suite=suite, built_s=time.monotonic() - started)
        _put_in_place(building, root)
    except BaseException:
        _remove_tree(building)
        raise
    progress(f"Asterisk {asterisk.version} built in {time.monotonic() - started:.0f} s at {root}")
    return dataclasses.replace(asterisk, root=root)


def _fresh_directory_beside(root: Path) -> Path:
    for leftover in root.parent.glob(f"{root.name}.build-*"):
        _remove_tree(leftover)
    building = Path(tempfile.mkdtemp(prefix=f"{root.name}.build-", dir=root.parent))
    building.chmod(0o755)
    return building


def _fresh_log(name: str) -> Path:
    logs = cache_dir() / "logs"
    logs.mkdir(exist_ok=True)
    (logs / name).unlink(missing_ok=True)
    return logs / name


def _put_in_place(building: Path, root: Path) -> None:
    if root.exists():
        _remove_tree(root)
    building.rename(root)


def _require_build_tools() -> None:
    missing = _missing_build_tools()
    if missing:
        raise LabError(
            f"building an Asterisk needs {', '.join(missing)}, which ./run installs on Debian; "
            "elsewhere install an Asterisk of at least 18.11"
        )


def _missing_build_tools() -> list[str]:
    return [tool for tool in ("debootstrap", "apt-get", "unshare") if not shutil.which(tool)]


def _remove_tree(path: Path) -> None:
    """Remove a root, and unmount what a cut-off build left mounted beneath it before."""
    for point in reversed(list(_mounts_below(path))):
        subprocess.run(["umount", "--lazy", str(point)], check=True, timeout=30)
    subprocess.run(["rm", "-rf", "--one-file-system", "--", str(path)], check=True, timeout=120)


def _mounts_below(path: Path) -> Iterator[Path]:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        point = Path(line.split()[4].encode().decode("unicode_escape"))
        if point.is_relative_to(path):
            yield point


def _isolated() -> list[str]:
    """Return a prefix under which mounts and processes of a build end with it, whatever happens."""
    prefix = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    probe = subprocess.run([*prefix, "true"], capture_output=True, timeout=30, check=False)
    return prefix if probe.returncode == 0 else []


async def _debootstrap(suite: str, root: Path, *, log_path: Path, progress: Progress) -> None:
    mirror = machine_mirror()
    progress(f"debootstrap of Debian {suite} from {mirror} (about 30 s; log {log_path})")
    await run_to_end(
        [*_isolated(), "debootstrap", "--variant=minbase", *_keyring_option(), suite, root, mirror],
        name="debootstrap",
        log_path=log_path,
        within_s=BUILD_S_MAX,
        env=_build_environment(),
    )


async def _install_asterisk(root: Path, *, log_path: Path, progress: Progress) -> None:
    progress(f"installing {' '.join(PACKAGES)} in it (about 10 s)")
    _copy_apt_settings(root)
    _keep_names_local(root)
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    policy.chmod(0o755)
    apt = [*_isolated(), "chroot", str(root), "apt-get", "--yes", "--quiet"]
    install = ["install", "--no-install-recommends", "-o", "Dpkg::Options::=--force-unsafe-io"]
    for step in (["update"], [*install, *PACKAGES], ["clean"]):
        await run_to_end(
            [*apt, *step],
            name=f"apt-get {step[0]} in the root",
            log_path=log_path,
            within_s=BUILD_S_MAX,
            env=_build_environment(),
        )
    (root / "srv/lab").mkdir(parents=True)


def machine_mirror() -> str:
    """Return the archive that the machine's own apt takes its release from.

    apt is asked instead of its files being read, so both formats of sources, disabled entries and
    overrides count as they do for apt.
    """
    answer = subprocess.run(
        ["apt-get", "-o", "Debug::NoLocking=true", "update", "--print-uris"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    archive = archive_in(answer.stdout)
    if archive is None:
        raise LabError(
            "apt on this machine names no Debian archive that debootstrap can use; install an "
            f"Asterisk of at least 18.11 instead. apt-get said: {answer.stderr.strip()!r}"
        )
    return archive


def archive_in(print_uris: str) -> str | None:
    """Return the archive with whole releases, not only updates to one, that apt would ask first.

    Args:
        print_uris: what `apt-get update --print-uris` prints.

    Example:
        >>> archive_in("'http://mirror.invalid/debian/dists/bookworm/InRelease' some_name 0")
        'http://mirror.invalid/debian'
    """
    found: list[tuple[str, str]] = re.findall(
        r"^'(\S+?)/+dists/([^/'\s]+)/InRelease'", print_uris, re.MULTILINE
    )
    whole = [uri for uri, suite in found if "-" not in suite]
    usable = [uri for uri in whole if uri.startswith(("http:", "https:", "file:", "ftp:"))]
    named_debian = [uri for uri in usable if uri.endswith("/debian")]
    return next(iter([*named_debian, *usable]), None)


def _keyring_option() -> list[str]:
    for name in ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp"):
        path = Path("/usr/share/keyrings") / name
        if path.exists():
            return [f"--keyring={path}"]
    raise LabError("the package debian-archive-keyring is missing; install it or an Asterisk")


def _apt_settings() -> dict[str, str]:
    """Return how the machine's apt reaches its archives: proxies, certificates, retries."""
    answer = subprocess.run(
        ["apt-config", "dump"], capture_output=True, text=True, timeout=30, check=True
    )
    wanted = re.compile(
        r"^(Acquire::(?:(?:https?|ftp)::\S+|Check-Valid-Until|Check-Date|Retries|ForceIPv[46])) "
        r'"(.+)";$',
        re.MULTILINE,
    )
    settings = dict(wanted.findall(answer.stdout))
    return {key: value for key, value in settings.items() if "detect" not in key.lower()}


def _copy_apt_settings(root: Path) -> None:
    settings = _apt_settings()
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if bundle.exists():
        settings.setdefault("Acquire::https::CaInfo", str(bundle))
    for value in settings.values():
        # A certificate or key named by the machine's settings is needed at the same place inside.
        if value.startswith("/") and Path(value).is_file():
            target = root / value.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(value, target)
    lines = [f'{key} "{value}";' for key, value in settings.items()]
    lines += ['Acquire::Languages "none";', 'APT::Sandbox::User "root";']
    (root / "etc/apt/apt.conf.d/90machine").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _build_environment() -> dict[str, str]:
    """Return the environment of a build; debootstrap's wget knows proxies only from there."""
    keep = ("http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    for scheme in ("http", "https"):
        proxy = _apt_settings().get(f"Acquire::{scheme}::Proxy")
        if proxy and proxy != "DIRECT":
            environment.setdefault(f"{scheme}_proxy", proxy)
    return environment | {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
    }


def _keep_names_local(root: Path) -> None:
    """Let names be found without DNS, or fail at once.

    Without the machine's own name in the hosts file the PBX spends seconds in look-ups per call and
    SIP calls fail (measured on 22.10.1). That name may change between runs that share a root.
    PJSIP opens a resolver of its own whatever is configured; it must not ask beyond this machine.
    """
    name = socket.gethostname()
    _write_if_changed(root / "etc/hosts", f"127.0.0.1 localhost {name}\n::1 localhost\n")
    local = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
    _write_if_changed(root / "etc/resolv.conf", local)


def _write_if_changed(path: Path, text: str) -> None:
    """Replace the file in one step: another run may be reading it."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


if __name__ == "__main__":
    for asterisk in asyncio.run(find_all()):
        print(asterisk)

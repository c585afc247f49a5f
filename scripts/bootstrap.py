"""Makes .venv from a hashed requirements file and puts the services into it, editable.

`python scripts/bootstrap.py requirements.txt`. Runs on any Python, to say in one line what is missing, and on the
standard library alone. It is stamped by content: when neither the requirements nor a service's pyproject.toml nor the
interpreter changed, it ends at once. The stamp is written last, so an install that was cut short is done again.

pip fetches uv, by its hash as well, and uv installs the rest in a fraction of the time. pip does it all where it was told
what uv would have to be told in other words (another index, a proxy), and where uv does not run or does not get there.
"""

# Old spellings on purpose: this file must at least run on the Pythons that it turns away.
# ruff: noqa: UP031, RUF005, T201

import glob
import hashlib
import os
import subprocess
import sys

MINIMUM = (3, 11)
VENV = ".venv"
INSIDE = os.path.join(VENV, "bin", "python")
UV = os.path.join(VENV, "bin", "uv")
UV_REQUIREMENTS = "requirements-uv.txt"
PIPS_OWN = ("index-url", "extra-index-url", "no-index", "proxy", "trusted-host", "client-cert")


def missing():
    """One line that says what this machine lacks, or None."""
    if sys.version_info < MINIMUM:
        text = "Python %d.%d is too old: %d.%d or newer is needed; to name another one: PYTHON=python3.13 make up"
        return text % (tuple(sys.version_info[:2]) + MINIMUM)
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        packages = "python%d.%d-venv (Debian, Ubuntu) or python%d-pip (Fedora, RHEL)"
        return "ensurepip is missing: install the package " + packages % (sys.version_info[:2] + sys.version_info[:1])
    return None


def stamp_of(requirements):
    """A digest of everything an install depends on: interpreter, place, requirements, the services' own lists."""
    digest = hashlib.sha256(("%s\n%s\n" % (sys.version, os.getcwd())).encode())
    for path in [requirements, UV_REQUIREMENTS] + sorted(glob.glob("services/*/pyproject.toml")):
        with open(path, "rb") as file:
            digest.update(path.encode() + b"\0" + file.read())
    return digest.hexdigest()


def stamped(path, stamp):
    try:
        with open(path) as file:
            return file.read() == stamp and os.path.exists(INSIDE)
    except OSError:
        return False


def version_inside():
    """(major, minor) of the interpreter in .venv, or None when there is none that runs and has pip."""
    try:
        out = subprocess.check_output(
            [INSIDE, "-c", "import pip, sys; print(*sys.version_info[:2])"], stderr=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return tuple(int(number) for number in out.split())


def pip(*arguments):
    subprocess.check_call(
        [INSIDE, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install"] + list(arguments)
    )


def uv(*arguments):
    subprocess.check_call([UV, "pip", "install", "--quiet", "--python", INSIDE, "--compile-bytecode"] + list(arguments))


def pips_own():
    """Whether pip reaches its packages in a way of its own, by its files or by the environment."""
    lines = subprocess.check_output([INSIDE, "-m", "pip", "config", "list"], universal_newlines=True).splitlines()
    return any(line.partition("=")[0].rpartition(".")[2] in PIPS_OWN for line in lines)


def fetched_uv():
    """Whether uv is in .venv now."""
    if pips_own():
        return False
    try:
        pip("--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", UV_REQUIREMENTS)
    except subprocess.CalledProcessError:
        return False
    return True


def fill(installer, requirements):
    """Install the requirements and the services."""
    # The file is the whole closure. Left to resolve it, pip (before 24) asks for the newest release of whatever a package wants with
    # an extra, finds another than the pinned one, and gives up: https://github.com/pypa/pip/issues/9644
    installer("--no-deps", "--require-hashes", "-r", requirements)
    services = [os.path.dirname(path) for path in sorted(glob.glob("services/*/pyproject.toml"))]
    installer("--no-deps", "--no-build-isolation", *[word for service in services for word in ("-e", service)])


def install(requirements):
    if version_inside() != sys.version_info[:2]:
        # Not sys.executable: that may be the very .venv which is about to be made anew.
        subprocess.check_call([getattr(sys, "_base_executable", sys.executable), "-m", "venv", "--clear", VENV])
    if fetched_uv():
        try:
            return fill(uv, requirements)
        except (OSError, subprocess.CalledProcessError):
            print("uv did not get there; pip does it instead")
            sys.stdout.flush()
    return fill(pip, requirements)


def main(requirements):
    reason = missing()
    if reason:
        print(reason)
        return 1
    everything = os.path.join(VENV, "stamp-requirements-dev.txt")
    own = os.path.join(VENV, "stamp-" + requirements)
    if stamped(own, stamp_of(requirements)) or stamped(everything, stamp_of("requirements-dev.txt")):
        return 0
    print("installing %s into %s (once)" % (requirements, VENV))
    sys.stdout.flush()
    try:
        install(requirements)
    except subprocess.CalledProcessError as error:
        print("installing failed: %s" % " ".join(error.cmd[-3:]))
        return 1
    with open(own, "w") as file:
        file.write(stamp_of(requirements))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

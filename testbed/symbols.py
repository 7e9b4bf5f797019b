#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""symbols.py TREE BUILD OBJECT...: what modpost would say of these objects

modpost wants modules that are whole. This looks at single objects instead: what a
module takes from the kernel or from another module has to be exported, and the
namespace it is exported to imported. What is asked for is every symbol that one of
the objects defines, and every name in a line that the series adds.
"""
import pathlib
import re
import subprocess
import sys

tree, build = map(pathlib.Path, sys.argv[1:3])
names = [n for n in sys.argv[3:] if (build / n).exists()]


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True, errors='replace').stdout


def read(name):
    """Module or None, symbols that are undefined, symbols that are defined."""
    path = build / name
    command = (path.parent / f'.{path.name}.cmd').read_text()
    module = re.search(r'-D__KBUILD_MODNAME=(\w+)', command)[1] if ' -DMODULE ' in command else None
    undefined, defined = set(), set()
    for line in run('nm', '-g', str(path)).splitlines():
        kind, symbol = line.split()[-2:]
        (undefined if kind in 'Uw' else defined).add(symbol)
    return module, undefined, defined


def imports(name, module, namespace):
    """Does a file of the module import it? Those lie below the Makefile that names it."""
    made = re.compile(rf'\b{module.replace("_", "[-_]")}(\.o|-y|-objs|-\$\()')
    for folder in pathlib.Path(name).parents:
        if any(made.search(makefile.read_text()) for makefile in
               (tree / folder / 'Makefile', tree / folder / 'Kbuild') if makefile.exists()):
            return subprocess.run(['git', '-C', str(tree), 'grep', '-q', f'^MODULE_IMPORT_NS("{namespace}")',
                                   '--', str(folder)], check=False).returncode == 0
    return False


exports = {}
for how, symbol, namespace in re.findall(r'^\s*EXPORT_SYMBOL(\w*)\((\w+)(?:, *"([\w,]+)")?(?:\)|,$)',
                                         run('git', '-C', str(tree), 'grep', '-h', 'EXPORT_SYMBOL'), re.M):
    if how in ('_IF_KUNIT', '_FOR_DMABUF_KUNIT'):
        namespace = 'EXPORTED_FOR_KUNIT_TESTING'
    exports[symbol] = namespace if how != '_FOR_MODULES' else ''
added = set(re.findall(r'\w+', '\n'.join(
    line for line in run('git', '-C', str(tree), 'diff', '-U0', 'base..HEAD').splitlines() if line.startswith('+'))))

objects = {name: read(name) for name in names}
owner = {s: (name, module) for name, (module, _, defined) in objects.items() for s in defined}
known, bad, asked = {}, [], 0
for name, (module, undefined, _) in objects.items():
    for symbol in sorted(undefined):
        provider, where = owner.get(symbol, (None, None))
        if not module or (provider and module == where):
            continue        # that is for the linker to know
        if not provider and (symbol not in added or symbol not in exports):
            continue        # of a file that nobody touched, and so as it was
        asked += 1
        if symbol not in exports:
            bad.append(f'{name} takes {symbol} from {provider}, which does not export it')
        elif exports[symbol]:
            key = module, exports[symbol]
            if key not in known:
                known[key] = imports(name, *key)
            if not known[key]:
                bad.append(f'{module} takes {symbol} and does not import {key[1]}')
for line in sorted(set(bad)):
    print(line)
print(f'{asked} symbols from elsewhere in {len(objects)} objects')
sys.exit(bool(bad) or not asked)

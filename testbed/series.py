#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The series as files here, as commits in build/linux, and as mails in build/series.

A folder patches/NN-name is one posting: a cover letter and its patches. Its last
lines "Needs: name ..." name the postings that it builds on, or "Needs: base".

A patch is one commit. What it does to files that are there already stands in its
diff; the files it adds stand at the top of the repository under their kernel path,
as they are in the end, each named by one trailer "New-file: path" in one patch. What
later patches do to one is taken back to get what that patch adds. A cover letter is a commit
without changes, "posting name: subject": what follows it belongs to that posting.
"""
import collections
import concurrent.futures
import email.utils
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = TOP + "/build"
TREE = BUILD + "/linux"
MEMO = TREE + "/.git/made.json"
RUNNING = TREE + "/.git/checkout-running"
FORCE = os.environ.get("FORCE", "0") not in ("", "0")
RECIPIENTS = TREE + "/.git/recipients.json"
COVER = "0000-cover-letter.txt"
POSTING = re.compile(r"^posting ([a-z0-9-]+): (.+)")
TRAILER = re.compile(r"^New-file: *(\S+) *\n?", re.M)
MAIL = ["-M", "--zero-commit", "--no-signature", "--abbrev=12"]
# The same for everybody, so that the hashes of the series are too.
NOBODY = {"GIT_%s_%s" % (who, what): value for who in ("AUTHOR", "COMMITTER") for what, value in
          (("NAME", "Linux"), ("EMAIL", "linux-kernel@vger.kernel.org"), ("DATE", "1767225600 +0000"))}
# direct is what its Needs: names, needs all of that and what these need, in the order to apply it
Posting = collections.namedtuple("Posting", "folder subject text direct needs patches")


def die(text):
    sys.exit("error: " + text)


def say(text):
    print(text, flush=True)


def git(*args, cwd=TREE, check=True, data=None, **env):
    """Run git, return its output; with check=False None for a failure."""
    run = subprocess.run(["git", *args], cwd=cwd, input=data, env={**os.environ, **env},
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                         encoding="utf-8", errors="surrogateescape")
    if run.returncode == 0:
        return run.stdout
    if check:
        lines = run.stderr.strip().splitlines() or ["status %d" % run.returncode]
        if shutil.disk_usage(cwd).free < 64 << 20:
            die("the disk of %s is full: free some space and try again" % cwd)
        die("git %s: %s" % (" ".join(args[:3]), lines[0]))
    return None


def rev(name):
    out = git("rev-parse", "-q", "--verify", name, check=False)
    return out.strip() if out else None


def fields(out):
    return [f for f in out.split("\0") if f]


def slurp(path):
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as f:
        return f.read()


def spill(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8", errors="surrogateescape", newline="") as f:
        f.write(text)
    os.replace(path + ".new", path)


def blob(text):
    """The name git gives to a file of this content."""
    raw = text.encode("utf-8", "surrogateescape")
    return hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest()


def stripspace(text):
    """What git am does to a message."""
    lines = [line.rstrip() for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


# ---- the repository's side

def head_of(mail):
    """A mail without its diff."""
    return re.split(r"^(?:---|diff --git .*)$", mail, maxsplit=1, flags=re.M)[0]


def read_patches():
    """The files of all postings in order, each cover letter before its patches."""
    found = []
    for folder in sorted(os.listdir(TOP + "/patches")) if os.path.isdir(TOP + "/patches") else []:
        if os.path.isdir(TOP + "/patches/" + folder):
            names = sorted(n for n in os.listdir(TOP + "/patches/" + folder) if n.endswith(".patch"))
            found += ["patches/%s/%s" % (folder, n) for n in [COVER] + names]
        elif folder != "README.md":
            die("patches/%s is in no posting: put it into one of the folders" % folder)
    return [(n, slurp(TOP + "/" + n) if os.path.exists(TOP + "/" + n) else "") for n in found]


def posting_of(name):
    """The name of the posting that a file of patches/ is in."""
    folder = name.split("/")[1]
    if not re.fullmatch(r"[0-9]{2}-[a-z0-9-]+", folder):
        die("patches/%s: a folder is named by its place and a name, as 03-drm-fixes" % folder)
    return folder[3:]


def postings(patches):
    """name -> Posting, in order."""
    found = {}
    for name, text in patches:
        key = posting_of(name)
        if not name.endswith(COVER):
            found[key].patches.append((name, text))
            continue
        if key in found:
            die("there are two postings of the name " + key)
        subject, _, body = text.partition("\n")
        direct = " ".join(re.findall(r"^Needs: *(.*)$", body, re.M)).split()
        if not subject.startswith("Subject: ") or not body.strip() or not direct:
            die("%s: needed are a line \"Subject: ...\", an empty one, the text, and at its end a line "
                "\"Needs: base\" or \"Needs: NAME ...\"" % name)
        needs = []
        for need in [n for n in direct if n != "base"]:
            if need not in found:
                die("%s: Needs: %s, which is no posting before it" % (name, need))
            needs += [n for n in found[need].needs + [need] if n not in needs]
        found[key] = Posting(name.split("/")[1], subject[len("Subject: "):].strip(), body.strip(),
                             direct, needs, [])
    for post in found.values():
        if not post.patches:
            die("patches/%s has no patches" % post.folder)
    return found


def own_base(base, key, found, files):
    """The commits of a posting on the base and what it needs; the last of these."""
    chain = [patch for name in found[key].needs for patch in found[name].patches]
    needs = "what %s needs (%s)" % (found[key].folder, " ".join(found[key].direct))
    commits = plan(base, chain + found[key].patches, files, on=needs)
    return (commits[len(chain) - 1] if chain else base), commits[-1]


def contents(found):
    """The table of all postings, patches/README.md."""
    rows = ["| %s | %d | %s | [%s](%s/%s) |" % (post.folder, len(post.patches), " ".join(
        found[n].folder[:2] if n != "base" else "-" for n in post.direct), post.subject, post.folder, COVER)
            for post in found.values()]
    return "\n".join([
        "# The postings", "",
        "Each folder is one mail thread for one tree, in an order in which they can be taken. A posting applies to",
        "Linux and the postings that it needs, and to what these need; those with - need nothing. The cover letter",
        "says why, how to test it, and what it needs. Written by `./run import`.", "",
        "| posting | patches | needs | |", "|---|--:|---|---|", *rows, "",
        "%d postings, %d patches." % (len(found), sum(len(post.patches) for post in found.values())), ""])


def kernel_dirs(base):
    return set(fields(git("ls-tree", "-dz", "--name-only", base)))


def read_files(base):
    """The repository's kernel files: path -> (mode, content)."""
    files = {}
    dirs = sorted(d for d in kernel_dirs(base) if os.path.isdir(TOP + "/" + d))
    out = git("ls-files", "-coz", "--exclude-standard", "--", *dirs, cwd=TOP) if dirs else ""
    for path in fields(out):
        full = TOP + "/" + path
        if os.path.islink(full):
            die("%s is a symbolic link: only plain files can be part of the series" % path)
        if os.path.isfile(full):
            files[path] = ("100755" if os.access(full, os.X_OK) else "100644", slurp(full))
    return files


def edits(mail):
    """The files that a mail has a diff of, and that part of it."""
    parts = re.split(r"^(?=diff --git )", mail, flags=re.M)[1:]
    return [(part.split("\n", 1)[0].rsplit(" b/", 1)[-1], part) for part in parts]


def first_versions(patches, files):
    """The files as the patches that name them add them, before others edit them."""
    owned = {path for _, mail in patches for path in TRAILER.findall(head_of(mail))}
    files = dict(files)
    with tempfile.TemporaryDirectory() as tmp:
        for name, mail in reversed(patches):
            parts = [(path, part) for path, part in edits(mail) if path in owned]
            if not parts:
                continue
            for path, _ in parts:
                spill(tmp + "/" + path, files[path][1])
            run = subprocess.run(["git", "apply", "-R", "--whitespace=nowarn"], cwd=tmp, check=False,
                                 input="".join(part for _, part in parts), capture_output=True,
                                 encoding="utf-8", errors="surrogateescape",
                                 env={**os.environ, "GIT_CEILING_DIRECTORIES": os.path.dirname(tmp)})
            if run.returncode:
                die("%s cannot be taken back from the files here (%s): change what both edit in build/linux"
                    % (name, (run.stderr.strip().splitlines() or ["?"])[0].replace("error: ", "")))
            for path, _ in parts:
                files[path] = (files[path][0], slurp(tmp + "/" + path))
    return files


def check_claims(base, patches, files):
    """Every new file belongs to exactly one patch, and only later ones edit it."""
    owner = {}
    for name, mail in patches:
        for path in TRAILER.findall(head_of(mail)):
            if path in owner:
                die("%s and %s both name New-file: %s" % (owner[path], name, path))
            if path not in files:
                die("%s names New-file: %s, which does not exist" % (name, path))
            owner[path] = name
    for path in sorted(files):
        if path not in owner:
            die("%s belongs to no patch: name it by a trailer \"New-file: %s\" in one of patches/"
                % (path, path))
    if owner:
        for path in fields(git("ls-tree", "-rz", "--name-only", base, "--", *owner)):
            die("%s names New-file: %s, which the base kernel has already: edit it by the diff"
                % (owner[path], path))
    there = set()
    for name, mail in patches:
        for path, part in edits(mail):
            if re.search(r"^new file mode", part.split("\n@@", 1)[0], re.M):
                die("%s creates %s in its diff: put the file at that path here and name it by "
                    "a trailer \"New-file: %s\"" % (name, path, path))
            if path in owner and path not in there:
                die("%s edits %s in its diff: that file stands here, edit it in place"
                    % (name, path))
        there.update(TRAILER.findall(head_of(mail)))


def plan(base, patches, files, build=True, on="the patches before it"):
    """The commits of the series; those made before are not made again.

    Returns None if one is missing and build is not set.
    """
    memo = json.loads(slurp(MEMO)) if os.path.exists(MEMO) else {}
    known = git("cat-file", "--batch-check", data="\n".join(memo.values()) + "\n")
    gone = {line.split()[0] for line in known.splitlines() if line.endswith("missing")}
    parent, commits, index = base, [], None
    for name, mail in patches:
        own = [(files[p][0], blob(files[p][1]), p) for p in sorted(TRAILER.findall(head_of(mail)))]
        what = posting_of(name) if name.endswith(COVER) else own
        key = hashlib.sha256(json.dumps([parent, mail, what]).encode()).hexdigest()
        if memo.get(key, "gone") in gone | {"gone"}:
            if not build:
                return None
            if not index:
                index = TREE + "/.git/made.index"
                git("read-tree", parent, GIT_INDEX_FILE=index)
            memo[key] = commit(parent, name, mail, own, files, index, on)
            spill(MEMO, json.dumps(memo))
        else:
            # A mail that only looks different makes a commit known before.
            index = None
        parent = memo[key]
        commits.append(parent)
    return commits


def commit(parent, name, mail, own, files, index, on):
    """Apply one patch in an index of our own, the work tree is not touched."""
    if name.endswith(COVER):
        text = "posting %s: %s" % (posting_of(name), mail.partition(": ")[2])
        return git("commit-tree", "-p", parent, parent + "^{tree}", data=stripspace(text), **NOBODY).strip()
    with tempfile.TemporaryDirectory(dir=TREE + "/.git") as tmp:
        info = git("mailinfo", "--encoding=UTF-8", tmp + "/msg", tmp + "/diff", data=mail)
        info = dict(line.split(": ", 1) for line in info.splitlines() if ": " in line)
        for want, header in (("Author", "From"), ("Email", "From"), ("Subject", "Subject")):
            if not info.get(want):
                die("%s has no %s: line" % (name, header))
        message = stripspace(info["Subject"] + "\n\n" + TRAILER.sub("", slurp(tmp + "/msg")))
        env = {"GIT_INDEX_FILE": index}
        if os.path.getsize(tmp + "/diff"):
            run = subprocess.run(["git", "apply", "--cached", "--whitespace=nowarn", tmp + "/diff"],
                                 cwd=TREE, env={**os.environ, **env}, check=False,
                                 capture_output=True, text=True)
            if run.returncode:
                why = (run.stderr.strip().splitlines() or ["git apply failed"])[0]
                version = git("show", "-s", "--format=%s", rev("base")).strip()
                die("%s does not apply on %s and %s (%s): correct it, or take the base it was made for"
                    % (name, version, on, why.replace("error: ", "")))
        elif not own:
            die("%s is empty: it has neither a diff nor a New-file: trailer" % name)
    listing = ""
    for mode, oid, path in own:
        if git("hash-object", "-w", "--stdin", data=files[path][1]).strip() != oid:
            die("%s is no plain text file" % path)
        listing += "%s %s\t%s\n" % (mode, oid, path)
    if listing:
        git("update-index", "--add", "--index-info", data=listing, **env)
    date = info.get("Date") or git("show", "-s", "--format=%aD", parent).strip()
    for who in ("AUTHOR", "COMMITTER"):
        env.update({"GIT_%s_NAME" % who: info["Author"], "GIT_%s_EMAIL" % who: info["Email"],
                    "GIT_%s_DATE" % who: date})
    oid = git("commit-tree", "-p", parent, git("write-tree", **env).strip(), data=message, **env)
    return oid.strip()


# ---- the tree's side

def open_base():
    """Make the base kernel the first commit of build/linux, without a checkout."""
    run = subprocess.run([TOP + "/testbed/base.sh"], stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        sys.exit(run.returncode)
    tree, version, objects = run.stdout.strip().split(" ", 2)
    if not os.path.isdir(TREE + "/.git"):
        git("init", "-q", "-b", "series", TREE, cwd=BUILD)
        for key, value in (("core.untrackedCache", "true"), ("gc.auto", "0")):
            git("config", key, value)
    alternates = TREE + "/.git/objects/info/alternates"
    lines = slurp(alternates).splitlines() if os.path.exists(alternates) else []
    if objects not in lines:
        spill(alternates, "\n".join(lines + [objects]) + "\n")
    base = git("commit-tree", tree, data="Linux %s\n" % version, **NOBODY).strip()
    git("tag", "-f", "base", base)
    return base, version


def foreign():
    """What is in build/linux that make tree did not put there, in words."""
    if os.path.exists(RUNNING) or not rev("HEAD"):
        return None
    if git("status", "--porcelain"):
        return "uncommitted changes"
    if rev("HEAD") != rev("refs/made/tip"):
        return "commits that make tree did not make"
    return None


def checkout(base, tip):
    git("update-ref", "refs/made/base", base)
    git("update-ref", "refs/made/tip", tip)
    # An interrupted checkout must not pass for somebody's changes.
    spill(RUNNING, "")
    git("-c", "checkout.workers=0", "checkout", "-q", "-f", "-B", "series", tip)
    os.unlink(RUNNING)


def do_tree():
    base, version = open_base()
    commits = plan_here(base)
    tip = commits[-1] if commits else base
    what = "%d commits on Linux %s" % (len(commits), version)
    found = foreign()
    if found and not FORCE:
        die("build/linux has %s: take them over with make import, or discard them with FORCE=1" % found)
    if rev("HEAD") == tip and not found and not os.path.exists(RUNNING):
        say("build/linux is up to date: " + what)
        return
    if not rev("HEAD"):
        if shutil.disk_usage(BUILD).free < 3 << 30:
            die("%s needs 3 GiB of free space: free some, or clone to another disk" % BUILD)
        say("writing build/linux ...")
    if found:
        say("discarding %s (git reflog in build/linux has the commits)" % found)
        git("clean", "-qfd")
    checkout(base, tip)
    say("build/linux: " + what)


def plan_here(base):
    patches, files = read_patches(), read_files(base)
    check_claims(base, patches, files)
    return plan(base, patches, first_versions(patches, files))


def chosen():
    """The base, all postings and files, and the names in POSTING, or all of them."""
    base, _ = open_base()
    patches, files = read_patches(), read_files(base)
    check_claims(base, patches, files)
    files = first_versions(patches, files)
    found = postings(patches)
    if not found:
        die("there are no patches in patches/")
    keys = [re.sub(r"^[0-9]{2}-", "", name) for name in os.environ.get("POSTING", "").split()]
    for key in keys:
        if key not in found:
            die("POSTING=%s: there is no such posting, see patches/README.md" % key)
    return base, found, files, keys


def do_ranges():
    """For check-series: the commits of each posting on its own base."""
    base, found, files, keys = chosen()
    for key in keys or found:
        say("%s %s %s" % (found[key].folder, *own_base(base, key, found, files)))


def do_series():
    base, found, files, keys = chosen()
    if not rev("HEAD"):
        do_tree()
    if not keys:
        shutil.rmtree(BUILD + "/series", ignore_errors=True)
    for key in keys or found:
        for old in glob.glob(BUILD + "/series/[0-9][0-9]-" + key):
            shutil.rmtree(old)
        write_mails(base, found[key], *own_base(base, key, found, files))
    count = sum(len(found[key].patches) for key in keys or found)
    say("build/series: %d patches in %d postings; git am build/series/%s/*.patch"
        % (count, len(keys or found), found[keys[0]].folder if len(keys) == 1 else "*"))


def write_mails(base, post, first, last):
    out = BUILD + "/series/" + post.folder
    ident = git("show", "-s", "--format=%an%n%ae%n%ad", last).splitlines()
    options = os.environ.get("FORMAT", "").split()
    if os.environ.get("SIGNOFF"):
        ident[:2] = email.utils.parseaddr(os.environ["SIGNOFF"])
        if "@" not in ident[1] or not ident[0]:
            die("SIGNOFF=%s: it has to be \"Name <mail address>\"" % os.environ["SIGNOFF"])
        options.append("--signoff")
    env = dict(zip(("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE"), ident))
    git("format-patch", "-q", *MAIL, "--cover-letter", "--base=" + base, "-o", out, *options,
        first + ".." + last, **env)
    cover, *mails = sorted(glob.glob(out + "/*.patch"))
    known = json.loads(slurp(RECIPIENTS)) if os.path.exists(RECIPIENTS) else {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        people = list(pool.map(lambda name: recipients(name, known), mails))
    spill(RECIPIENTS, json.dumps(known))
    for name, (to, cc) in zip(mails, people):
        address(name, slurp(name), to, cc)
    to = dict.fromkeys(who for to, _ in people for who in to)
    cc = dict.fromkeys(who for _, cc in people for who in cc if who not in to)
    mail = slurp(cover).replace("*** SUBJECT HERE ***", post.subject).replace("*** BLURB HERE ***", post.text)
    upstream = os.environ.get("LINUX") and git("rev-parse", "-q", "--verify", "HEAD^0",
                                               cwd=os.environ["LINUX"], check=False)
    if upstream:
        mail = mail.replace("base-commit: " + base, "base-commit: " + upstream.strip())
    # Not as a patch: git am of all patches would stop at it.
    address(cover.replace(".patch", ".txt"), mail, to, cc)
    os.unlink(cover)


def recipients(name, known):
    """Whom get_maintainer.pl names for a mail: maintainers, and reviewers and lists."""
    mail = slurp(name)
    key = blob(mail[mail.find("\ndiff --git"):]) + rev("HEAD:MAINTAINERS")
    if key not in known:
        run = subprocess.run(["scripts/get_maintainer.pl", "--nogit", "--nogit-fallback", name], cwd=TREE,
                             capture_output=True, check=False, encoding="utf-8")
        if run.returncode:
            die("get_maintainer.pl: " + (run.stderr.strip() or "failed").splitlines()[-1])
        known[key] = run.stdout.splitlines()
    to, cc = [], []
    for line in known[key]:
        who, _, role = line.partition(" (")
        who = email.utils.formataddr(email.utils.parseaddr(who))
        (to if re.match("maintainer|supporter", role) else cc).append(who)
    return to, cc


def address(name, mail, to, cc):
    lines = "".join("%s: %s\n" % (field, ",\n    ".join(who)) for field, who in (("To", to), ("Cc", cc)) if who)
    spill(name, re.sub(r"^(Date: .*\n)", lambda date: date[1] + lines, mail, count=1, flags=re.M))


# ---- the way back

def changes(oid, *options):
    """The files a commit touches: path -> (status, source of a rename)."""
    out = fields(git("diff-tree", "-r", "-z", "--raw", "--no-commit-id", *options, oid))
    found = {}
    while out:
        status = out.pop(0).split()[-1]
        source = out.pop(0)
        path = out.pop(0) if status[0] in "RC" else source
        found[path] = (status[0], source if status[0] in "RC" else None)
    return found


def sort_out(commits, claimed):
    """Which commit each new file belongs to, and what of each commit is not diff."""
    new, notdiff = {}, []
    for at, oid in enumerate(commits):
        plain = changes(oid, "--no-renames")
        renamed = changes(oid, "-M") if any(status == "A" for status, _ in plain.values()) else {}
        apart = set()
        for path, (status, _) in plain.items():
            source = renamed.get(path, (None, None))[1]
            # A file that stands in the repository stays there, however
            # much it looks like one that the same commit removes.
            if status == "A" and source and path not in claimed and source not in new:
                continue
            if status == "A":
                moved = source in new
                new[path] = new[source] if moved else at
                if moved:
                    say("%s: its new name goes into the commit that creates it" % path)
            # Who edits it later keeps that as a diff.
            if path in new and (status != "M" or new[path] == at):
                apart.add(path)
        for path in [p for p, (status, _) in plain.items() if status == "D" and p in new]:
            del new[path]
        notdiff.append(apart)
    return new, notdiff


def entries(tree, paths):
    out = fields(git("ls-tree", "-rz", tree, "--", *paths)) if paths else []
    return {path: (meta.split()[0], meta.split()[2]) for meta, path in (e.split("\t", 1) for e in out)}


def mail_of(oid, message, own, apart):
    """The file in patches/ for a commit; None if nothing of it is left."""
    subject = message.split("\n", 1)[0]
    if re.match(r"(fixup|squash|amend)! ", subject):
        die("\"%s\" is not squashed yet: git rebase -i --autosquash base, then import" % subject)
    if not apart and changes(oid):
        return git("format-patch", "-1", "--stdout", "-N", *MAIL, oid)
    before, env = entries(oid + "^", apart), {"GIT_INDEX_FILE": TREE + "/.git/import.index"}
    git("read-tree", oid, **env)
    listing = "".join("%s %s\t%s\n" % (*before.get(p, ("0", "0" * 40)), p) for p in sorted(apart))
    git("update-index", "--add", "--index-info", data=listing, **env)
    tree = git("write-tree", **env).strip()
    if not own and tree == rev(oid + "^^{tree}"):
        say("\"%s\": nothing of its own is left, so it becomes no patch" % subject)
        return None
    message = message.rstrip("\n")
    trailers = "".join("New-file: %s\n" % path for path in own)
    block = message.split("\n\n")[-1] if "\n\n" in message else ""
    gap = "\n" if block and all(re.match(r"[A-Z][A-Za-z-]*: ", l) for l in block.split("\n")) else "\n\n"
    for who, letter in (("AUTHOR", "a"), ("COMMITTER", "c")):
        ident = git("show", "-s", "--format=%{0}n%n%{0}e%n%{0}D".format(letter), oid).splitlines()
        env.update(zip(("GIT_%s_NAME" % who, "GIT_%s_EMAIL" % who, "GIT_%s_DATE" % who), ident))
    made = git("commit-tree", "-p", oid + "^", tree, data=message + gap + trailers, **env).strip()
    return git("format-patch", "-1", "--stdout", "-N", "--always", *MAIL, made)


def do_import(check=False):
    base, head = rev("refs/made/base"), rev("HEAD")
    if not base or not head:
        die("there is no build/linux to import from: make tree first")
    for state in ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD"):
        if os.path.exists(TREE + "/.git/" + state):
            die("a rebase, am or merge is going on in build/linux: finish or abort it first")
    if git("status", "--porcelain"):
        die("build/linux has uncommitted changes: commit or stash them first, import takes commits")
    if git("merge-base", "--is-ancestor", base, head, check=False) is None:
        die("the commits of build/linux no longer start at its base: rebase them onto the tag base")
    if git("rev-list", "--merges", base + ".." + head):
        die("build/linux has merge commits: a series is linear, rebase it onto the tag base")
    patches, dirs = read_patches(), kernel_dirs(base)
    files = read_files(base)
    claimed = {p for _, mail in patches for p in TRAILER.findall(head_of(mail))}
    if not FORCE:
        here = claimed == set(files) and plan(base, patches, first_versions(patches, files), build=False) or None
        if here is None or (here[-1:] or [base])[0] != rev("refs/made/tip"):
            die("the files here have changed since make tree, import would undo that: make tree "
                "first, or overwrite them with FORCE=1")

    commits = git("rev-list", "--reverse", base + ".." + head).split()
    new, notdiff = sort_out(commits, claimed)
    found = entries(head, sorted(new))
    out, kept, folder, at_folder = {}, [], None, 0
    for at, oid in enumerate(commits):
        slug, _, message = git("show", "-s", "--format=%f%n%B", oid).partition("\n")
        message = stripspace(message) if POSTING.match(message) else message.strip("\n") + "\n"
        posting = POSTING.match(message)
        if posting:
            if changes(oid):
                die("\"%s\" changes files: it is only the cover letter of the commits that follow it"
                    % posting[0])
            at_folder, number = at_folder + 1, 0
            folder = "patches/%02d-%s" % (at_folder, posting[1])
            kept.append((folder + "/" + COVER, "Subject: " + message.partition(": ")[2], oid))
            continue
        if not folder:
            die("\"%s\" is in no posting: move it below a commit \"posting NAME: SUBJECT\" by git rebase -i base"
                % message.splitlines()[0])
        mail = mail_of(oid, message, sorted(p for p in new if new[p] == at), notdiff[at])
        if mail:
            number += 1
            kept.append(("%s/%04d-%s.patch" % (folder, number, slug[:52].rstrip("-.")), mail, oid))
    for path, (mode, oid) in found.items():
        if mode not in ("100644", "100755") or path.split("/")[0] not in dirs or "/" not in path:
            die("%s: only plain files below a directory of the kernel can be new files" % path)
        out[path] = (mode, git("cat-file", "blob", oid))

    # Prove that the files say what the tree says, before touching any.
    todo = [(name, mail) for name, mail, _ in kept]
    check_claims(base, todo, out)
    found = postings(todo)
    files = first_versions(todo, out)
    made = plan(base, todo, files)
    tip = made[-1] if made else base
    if rev(tip + "^{tree}") != rev(head + "^{tree}"):
        die("the imported patches would not give the tree of build/linux: nothing was changed")
    looks = [git("show", "-s", "--format=%an%n%ae%n%at%x01%B%x02", *oids).split("\2")
             for oids in ([oid for _, _, oid in kept], made)] if made else [[], []]
    for (name, _, _), *both in zip(kept, *looks):
        # A cover letter has no author.
        parts = [look.lstrip("\n").split("\1") for look in both]
        if parts[0][0] != parts[1][0] and not name.endswith(COVER) or stripspace(parts[0][1]) != stripspace(parts[1][1]):
            die("%s would not survive git am (a \"---\", a diff or a leading [tag] in its message?): "
                "reword it" % name)

    out.update({name: ("100644", mail) for name, mail in [*todo, ("patches/README.md", contents(found))]})
    write_back(out, {name for name, _ in patches} | claimed, check)
    if not check:
        checkout(base, tip)
    for key in found:
        try:
            own_base(base, key, found, files)
        except SystemExit as e:
            say(str(e).replace("error:", "warning:", 1))


def write_back(out, ours, check):
    """Write what differs and remove what is gone, but no work that git does not have."""
    def now(path):
        full = TOP + "/" + path
        if not os.path.isfile(full):
            return None
        return ("100755" if os.access(full, os.X_OK) else "100644", slurp(full))

    differ = sorted(p for p in out if now(p) != out[p])
    gone = sorted(p for p in ours - set(out) if now(p))
    if check:
        if differ or gone:
            die("import would change " + " ".join(differ + gone))
        return
    dirty = fields(git("status", "--porcelain", "-z", "--no-renames", "-uall", cwd=TOP))
    lost = {entry[3:] for entry in dirty} & set(differ + gone)
    if lost and not FORCE:
        die("%s has changes that are not committed: commit them first, or overwrite them with FORCE=1"
            % sorted(lost)[0])
    for path in differ:
        spill(TOP + "/" + path, out[path][1])
        os.chmod(TOP + "/" + path, 0o755 if out[path][0] == "100755" else 0o644)
        say("wrote " + path)
    for path in gone:
        os.unlink(TOP + "/" + path)
        try:
            os.removedirs(os.path.dirname(TOP + "/" + path))
        except OSError:
            pass
        say("removed " + path)
    say("import: %d patches, %d new files; %d written, %d removed" % (
        sum(p.endswith(".patch") and p.startswith("patches/") for p in out),
        sum(not p.startswith("patches/") for p in out),
        len(differ), len(gone)))


def do_clean():
    found = foreign() if os.path.isdir(TREE + "/.git") else None
    if found and not FORCE:
        die("build/linux has %s: take them over with make import, or discard them with FORCE=1" % found)
    shutil.rmtree(BUILD)


def main():
    if not shutil.which("git"):
        die("git is not installed: run ./run setup")
    os.environ.update(GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null", LC_ALL="C.UTF-8",
                      GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        os.environ.pop(name, None)
    if sys.argv[1] in ("import", "check") and not os.path.isdir(TREE + "/.git"):
        die("there is no build/linux to import from: make tree first")
    os.makedirs(BUILD, exist_ok=True)
    with open(BUILD + "/.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        {"tree": do_tree, "series": do_series, "ranges": do_ranges, "clean": do_clean, "import": do_import,
         "check": lambda: do_import(check=True)}[sys.argv[1]]()


try:
    main()
except KeyboardInterrupt:
    sys.exit(130)
except OSError as e:
    die("%s: %s" % (e.filename or "writing", e.strerror))

"""Checks of the tree that need no build; scripts/check runs them.

format   clang-format-19 leaves every C++ file as it is
layers   an #include crosses folders only as docs/ARCHITECTURE.md's table allows
headers  #pragma once, an opening comment, at most 150 lines (contracts that list S3 may pass)
marks    no left-over marks, no skips without a reason, no fixed sleeps in tests
links    every relative link of a Markdown file leads somewhere
secrets  signatures, tokens and the like are compared by constant_time_equal, and by nothing else
"""
import os
import re
import subprocess
import sys

# Who may include whom (direct entries; what those may use, they may too).
MAY_INCLUDE = {
    "base": [],
    "net": ["base"],
    "s3": ["base"],
    "index": ["base"],
    "store": ["index", "s3", "net"],
    "control": ["index", "net"],
    "syncd": ["store"],
    "fusefs": ["syncd", "store"],
    "gateway": ["store", "control"],
    "cli": ["gateway", "fusefs", "syncd", "control", "store"],
}
# Where secrets are judged, and how many comparisons each has.
SECRET_COMPARISONS = {
    "gateway/s3_authentication.cc": 1,
    "gateway/tool_identity.cc": 1,
    "gateway/web_service.cc": 1,
    "s3/chunked.cc": 2,
    "s3/payload.cc": 1,
    "s3/post_policy.cc": 2,
    "s3/sigv4_verify.cc": 1,
}
HEADER_LINES = 150
SOURCE_LINES = 500


def closure(folder):
    seen, todo = {folder}, [folder]
    while todo:
        for entry in MAY_INCLUDE[todo.pop()]:
            if entry not in seen:
                seen.add(entry)
                todo.append(entry)
    return seen


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
                         check=True, capture_output=True, text=True).stdout
    return [path for path in out.splitlines() if os.path.exists(path)]


def check_layers(files):
    allowed = {folder: closure(folder) for folder in MAY_INCLUDE}
    for path in files:
        folder = path.split("/")[0]
        if folder not in allowed:
            continue
        with open(path, encoding="utf-8") as text:
            for number, line in enumerate(text, 1):
                found = re.match(r'#include "([^"/]+)/', line)
                if found and found.group(1) in MAY_INCLUDE and found.group(1) not in allowed[folder]:
                    yield f"{path}:{number}: {folder}/ may not include {found.group(1)}/"


def check_headers(files):
    for path in files:
        with open(path, encoding="utf-8") as text:
            lines = text.read().splitlines()
        limit = HEADER_LINES if path.endswith(".h") else SOURCE_LINES
        if path.startswith(("tests/", "bench/")):
            limit = 1000
        if path in ("store/object_types.h",):
            limit = 350
        if len(lines) > limit:
            yield f"{path}: {len(lines)} lines, over {limit}: do two things live there?"
        if path.endswith(".h"):
            if "#pragma once" not in lines:
                yield f"{path}: no #pragma once"
            if not lines or not lines[0].startswith("//"):
                yield f"{path}: no opening comment that states the contract"


def check_marks(files):
    left_over = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    for path in files:
        with open(path, encoding="utf-8") as text:
            for number, line in enumerate(text, 1):
                if left_over.search(line):
                    yield f"{path}:{number}: left-over mark: {line.strip()}"
                if path.startswith("tests/") and re.search(r"\b(GTEST_SKIP|DISABLED_)", line) \
                        and "reason:" not in line:
                    yield f"{path}:{number}: a skip states its reason on its line (reason: …)"


def check_links(files):
    for path in files:
        with open(path, encoding="utf-8") as text:
            for target in re.findall(r"\]\(([^)#\s]+)", text.read()):
                if re.match(r"[a-z]+:", target):
                    continue
                if not os.path.exists(os.path.join(os.path.dirname(path), target)):
                    yield f"{path}: the link to {target} leads nowhere"


def check_secrets(files):
    secret = r"\w*(?:signature|secret|session_token|csrf|hmac|mac|password)_?(?:\(\))?"
    plain = re.compile(rf"\b{secret} *[=!]= |[=!]= *(?:\w+(?:\.|->|::))*{secret}(?=[^\w.(:]|$)")
    calls = re.compile(r"\bconstant_time_equal\(")
    for path in files:
        if path.split("/")[0] not in MAY_INCLUDE:
            continue
        with open(path, encoding="utf-8") as text:
            lines = text.read().splitlines()
        for number, line in enumerate(lines, 1):
            if plain.search(line.split("//")[0]):
                yield f"{path}:{number}: a secret is compared by constant_time_equal: {line.strip()}"
        found, wanted = sum(len(calls.findall(line)) for line in lines), SECRET_COMPARISONS.get(path, 0)
        if found != wanted and not path.startswith("base/encoding."):
            yield f"{path}: {found} calls of constant_time_equal where SECRET_COMPARISONS has {wanted}"
        if path == "base/encoding.cc" and not re.search(
                r"bool constant_time_equal\([^)]*\) {\n[^\n]*CRYPTO_memcmp\([^\n]*\n}", "\n".join(lines)):
            yield f"{path}: constant_time_equal is CRYPTO_memcmp of two texts of one length"


def check_format(files, fix):
    command = ["clang-format-19", "-i"] if fix else ["clang-format-19", "--dry-run", "--Werror"]
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    if done.returncode != 0:
        names = sorted(set(re.findall(r"^([^:\s]+):\d+", done.stderr, re.M)))
        yield "format: scripts/check --fix would change " + ", ".join(names[:20])


def main():
    fix = "--fix" in sys.argv[1:]
    code = tracked("*.h", "*.cc")
    problems = [*check_layers(code), *check_headers(code), *check_marks(code + [path for path in tracked("*.py", "*.ts", "*.tsx") if path != "scripts/check.py"]),
                *check_links(tracked("*.md")), *check_secrets(code), *check_format(code, fix)]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"check: {len(code)} C++ files looked at, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

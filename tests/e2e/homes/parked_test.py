"""A burst of deletions that nobody witnessed waits for a person, who decides by command."""
import argparse
import os
import shutil
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from mounted import MountedHome, check, make_server, wait_for  # noqa: E402

FILES = 300


def keys_below(s3, prefix):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="homes", Prefix=prefix)
    return {row["Key"] for page in pages for row in page.get("Contents", []) if not row["Key"].endswith("/")}


def noted(home):
    """What the sync's journal names; it is written every second and after the files themselves."""
    path = os.path.join(os.path.dirname(home.tree), "state", "journal.db")
    journal = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return journal.execute("select count(*) from base").fetchone()[0]
    finally:
        journal.close()


def lose(home, folder):
    """The folder vanishes while nobody watches. Of what was not in the journal nobody could tell that it is gone:
    that would come back."""
    wait_for("the journal to name every file", lambda: noted(home) >= 2 * FILES, 60)
    home.kill()
    shutil.rmtree(os.path.join(home.tree, folder))
    home.start()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    server = make_server(arguments.parse_args().program)
    home = None
    try:
        server.cli("user", "add", "alice")
        home = MountedHome(server, "alice")
        home.start()
        s3 = server.s3(home.keys)
        for folder in ("kept", "gone"):
            os.mkdir(os.path.join(home.path, folder))
            for number in range(FILES):
                with open(os.path.join(home.path, folder, f"f{number}"), "w", encoding="ascii") as file:
                    file.write(f"{folder} {number}")
        server.wait_uploaded("alice")
        check(len(keys_below(s3, "alice/kept/")) == FILES, "the files are objects")

        lose(home, "kept")
        parked = server.cli_json("parked", "list", "alice")
        check(len(parked) >= 100, f"{len(parked)} paths are parked")
        shown = next(line for line in server.cli("status").splitlines() if line.startswith("alice"))
        check("100 or more" in shown and "kept/f" not in shown, f"the status counts them: {shown[:500]}")
        left = len(keys_below(s3, "alice/kept/"))
        check(left == FILES, f"nothing was removed in the store: {left} of {FILES} are left")
        server.cli("parked", "bring-back", "alice", "kept")
        wait_for("the files to be back", lambda: os.path.isdir(os.path.join(home.path, "kept")) and
                 len(os.listdir(os.path.join(home.path, "kept"))) == FILES, 60)
        for number in range(FILES):
            with open(os.path.join(home.path, "kept", f"f{number}"), encoding="ascii") as file:
                check(file.read() == f"kept {number}", f"f{number} is as it was")
        wait_for("nothing to be parked", lambda: server.cli_json("parked", "list", "alice") == [], 30)

        lose(home, "gone")
        check(server.cli_json("parked", "list", "alice"), "the second burst is parked")
        server.cli("parked", "let-go", "alice")
        wait_for("the deletion to go through", lambda: not keys_below(s3, "alice/gone/"), 60)
        check(len(keys_below(s3, "alice/kept/")) == FILES, "the other folder stays")
        versions = s3.list_object_versions(Bucket="homes", Prefix="alice/gone/f7")["Versions"]
        check(versions, "the versions of what was let go are kept")
        refused = server.cli("parked", "list", "nobody", expect=0)
        check("f0" not in refused, "a home that is not mounted has nothing parked")
        print("parked: ok")
    finally:
        if home is not None:
            home.stop()
        server.cleanup()
        os.unlink(server.log_path)


main()

#!/usr/bin/env python3
"""The end-to-end story: from an empty data directory to restored work, with real parts only.

usage: story.py --program build/release/cli/holdfast [--keep] [--until N] [--tls]
Prints each step with what it saw; exits 0 when all of them held, else 1.
"""
import argparse
import os
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import steps_people  # noqa: E402
import steps_recovery  # noqa: E402
import steps_work  # noqa: E402
from harness import Server, StepFailed  # noqa: E402
from test_authority import TestAuthority  # noqa: E402


class World:
    """What the steps hand to each other."""

    def __init__(self, server, scratch):
        self.server = server
        self.scratch = scratch
        self.keys = {}
        self.browser_flags = []
        self.person = None     # alice's browser
        self.notebook = None
        self.started = time.monotonic()

    def run_in_tool(self, code, seconds=120):
        """Runs code in alice's notebook, from her browser."""
        name = f"/notebooks/{self.notebook_name}"
        if not self.person.driver.current_url.endswith(name):
            self.notebook.open(self.notebook_name)
        return self.notebook.run("import os\n" + code, seconds)

    def saw(self, sentence):
        print(f"     {sentence}", flush=True)


STEPS = [
    ("alice, bob, the bucket research and the grants", steps_people.create_people),
    ("alice starts jupyter from the console", steps_work.start_jupyter),
    ("a notebook, figures, SQLite, git, links and mmap in the home", steps_work.work_in_the_tool),
    ("aws, boto3 and rclone see the same files as objects", steps_work.see_from_outside),
    ("a folder with a 300 MB file dropped into the console", steps_work.drop_a_folder),
    ("a deleted directory of 200 files comes back", steps_recovery.delete_and_restore),
    ("bob reads what he was granted, and nothing else", steps_people.bob_and_his_grant),
    ("tools stopped and killed; the server killed in an upload storm", steps_recovery.survive),
    ("the audit chain proves who did what", steps_recovery.audit),
    ("Ctrl-C leaves nothing behind", steps_recovery.clean_end),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--keep", action="store_true", help="leave the data directory for a look")
    parser.add_argument("--until", type=int, default=len(STEPS), help="stop after this step")
    parser.add_argument("--tls", action="store_true", help="both listeners over HTTPS, by a test authority")
    options = parser.parse_args()

    authority = TestAuthority(["localhost", "*.localhost"]) if options.tls else None
    server = Server(options.program, authority)
    scratch = server.data + "-scratch"
    os.makedirs(scratch, exist_ok=True)
    world = World(server, scratch)
    if authority is not None:
        authority.trust()
        world.browser_flags = authority.browser_flags()
    failed = False
    try:
        print(f"story: data in {server.data}, S3 on {server.s3_port}, console on {server.web_port}", flush=True)
        server.start()
        for number, (title, step) in enumerate(STEPS[:options.until], 1):
            print(f"{number:2}. {title}", flush=True)
            begun = time.monotonic()
            step(world)
            print(f"    ok ({time.monotonic() - begun:.1f} s)", flush=True)
    except Exception as error:  # every failure ends in the same report
        failed = True
        print(f"    FAILED: {error}", flush=True)
        if not isinstance(error, StepFailed):
            traceback.print_exc()
        if world.person is not None:
            try:
                world.person.screenshot(os.path.join(scratch, "failed.png"))
                print(f"    screenshot: {scratch}/failed.png; page {world.person.driver.current_url}")
                for line in world.person.console_errors():
                    print(f"    the browser said: {line}")
            except Exception:  # the browser may be what failed
                pass
        print("    the server's log ends:\n" + server.log_tail())
    finally:
        if world.person is not None:
            world.person.close()
        if not (options.keep and failed):
            server.cleanup()
        if authority is not None:
            authority.remove()
    print("story: " + ("FAILED" if failed else f"all {len(STEPS[:options.until])} steps held"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

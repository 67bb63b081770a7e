"""Steps of everyday work: a tool, a notebook, files seen from everywhere, uploads."""
import json
import os
import subprocess
import time

from browser import Notebook, Person
from harness import check, sha256_of, wait_for
from test_authority import TRUST

REPOSITORY = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))


def start_jupyter(world):
    server = world.server
    link = server.cli("user", "link", "alice").strip()
    world.downloads = os.path.join(world.scratch, "downloads")
    os.makedirs(world.downloads, exist_ok=True)
    world.person = person = Person(world.downloads, world.browser_flags)
    person.go(link)
    person.wait_text("who", "alice")
    person.click("nav-tools")
    clicked = time.monotonic()
    person.click("tool-start-jupyter")
    tool_url = server.tool_url("jupyter-alice")
    # The tool's own address shows the start page, then becomes the notebook.
    person.go(tool_url + "/")
    shown = time.monotonic() - clicked

    def notebook_page():
        if person.script("return location.protocol") == "chrome-error:":  # its own reload was dropped
            person.go(tool_url + "/")
        return person.script("return document.querySelector('#notebook_list') !== null")
    wait_for("the notebook's own page", notebook_page, 60)
    world.saw(f"start page after {shown:.2f} s, notebook usable after {time.monotonic() - clicked:.2f} s "
              f"at {person.driver.current_url}")
    person.settle()
    world.notebook = Notebook(person, tool_url)
    world.notebook_name = world.notebook.create()
    answer = world.notebook.run("import os, pwd; print(6 * 7, pwd.getpwuid(os.getuid()).pw_name, os.getcwd())")
    check(answer.strip() == "42 alice /home/alice", f"the first cell printed {answer!r}")
    world.container = lambda user: server.container("jupyter", user)
    inspect = json.loads(subprocess.run(["podman", "inspect", world.container("alice")], capture_output=True,
                                        text=True, check=True).stdout)[0]
    limits = inspect["HostConfig"]
    check(limits["Memory"] > 0 and limits["PidsLimit"] > 0, "the container has no limits")
    world.saw(f"a cell ran from the browser: {answer.strip()}; memory {limits['Memory'] >> 20} MiB, "
              f"pids {limits['PidsLimit']}")


ANALYSIS = """
import pandas, matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plot, sqlite3
table = pandas.read_csv("/buckets/research/women.csv")
os.makedirs("results", exist_ok=True)
for column in table.columns[1:4]:
    axes = table.plot(x="Year", y=column)
    axes.figure.savefig(f"results/{column.replace(' ', '_')}.png")
    plot.close(axes.figure)
with sqlite3.connect("results/table.db") as database:
    table.to_sql("degrees", database, if_exists="replace", index=False)
    rows = database.execute("select count(*) from degrees").fetchone()[0]
database.close()
print(len(table), rows, sorted(os.listdir("results")))
"""

SHELL = """
import subprocess
done = subprocess.run(["bash", "-euxc", '''
git config --global user.name Alice; git config --global user.email alice@example.org
git clone -q /buckets/research/project.bundle project
cd project && git status --porcelain && echo "a note" > NOTE.txt && git add NOTE.txt && git commit -qm "A note"
git fsck --no-progress
git log --oneline | head -n 1
cd .. && mkdir -p drafts/one && echo first > drafts/one/a.txt && echo second > drafts/b.txt
ln -s drafts/b.txt shortcut && chmod 640 drafts/b.txt && mv drafts essays
'''], capture_output=True, text=True)
print(done.returncode, done.stdout, done.stderr[-2000:])
"""

MAPPED = """
import mmap
with open("mapped.bin", "wb") as file:
    file.truncate(1 << 20)
with open("mapped.bin", "r+b") as file:
    with mmap.mmap(file.fileno(), 0) as view:
        view[4096:4101] = b"mmap!"
        view.flush()
print(open("mapped.bin", "rb").read()[4096:4101])
"""


def work_in_the_tool(world):
    server, notebook = world.server, world.notebook
    bundle = os.path.join(world.scratch, "project.bundle")
    subprocess.run(["git", "-c", "safe.directory=*", "-C", REPOSITORY, "bundle", "create", "-q", bundle, "HEAD"],
                   check=True)
    server.s3(world.keys["alice"]).upload_file(bundle, "research", "project.bundle")

    world.saw("pandas and SQLite: " + notebook.run(ANALYSIS).strip())
    answer = notebook.run(SHELL, 300).strip()
    check(answer.startswith("0 "), f"git and friends failed: {answer}")
    world.saw("git clone, status, commit, fsck; symlink, chmod, rename of a directory")
    check("mmap!" in notebook.run(MAPPED), "mmap lost its bytes")
    notebook.save()
    world.saw("mmap written and read back, notebook saved")


def home_objects(s3):
    objects = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="homes", Prefix="alice/"):
        for item in page.get("Contents", []):
            objects[item["Key"]] = item["Size"]
    return objects


def see_from_outside(world):
    server = world.server
    notebook, s3, home = world.notebook, server.s3(world.keys["alice"]), server.home("alice")
    server.wait_uploaded("alice", 120)

    compared = 0
    objects = home_objects(s3)
    for folder, _, files in os.walk(home):
        for name in files:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, home)
            if relative.startswith((".local/", ".cache/", ".ipython/")):
                continue  # the running kernel writes there at any time
            key = "alice/" + relative
            check(key in objects, f"{key} is no object")
            answer = s3.get_object(Bucket="homes", Key=key)
            body, metadata = answer["Body"].read(), answer["Metadata"]
            status = os.lstat(path)
            if os.path.islink(path):
                check(body == os.fsencode(os.readlink(path)), f"{key}: the body is not the link's target")
            else:
                with open(path, "rb") as file:
                    check(body == file.read(), f"{key}: other bytes than the file")
            check(int(metadata["mode"]) == status.st_mode, f"{key}: mode {metadata['mode']}, not {status.st_mode}")
            seconds = float(metadata["mtime"])
            check(abs(seconds - status.st_mtime) < 1e-3, f"{key}: mtime {seconds}, not {status.st_mtime}")
            compared += 1
    check(compared > 100, f"only {compared} files to compare")
    world.saw(f"boto3: {compared} files are one object each, byte-equal, with mode and mtime")

    environment = {"AWS_ACCESS_KEY_ID": world.keys["alice"][0], "AWS_SECRET_ACCESS_KEY": world.keys["alice"][1],
                   "AWS_DEFAULT_REGION": "us-east-1", "PATH": "/usr/bin:/bin", "HOME": world.scratch}
    if server.tls is not None:
        environment |= {name: os.environ[name] for name in TRUST if name in os.environ}
    listed = subprocess.run(["/usr/bin/aws", "--endpoint-url", server.s3_url, "s3", "ls", "--recursive",
                             "s3://homes/alice/"], env=environment, capture_output=True, text=True)
    check(listed.returncode == 0, f"aws s3 ls: {listed.stderr}")
    seen = {line.split(None, 3)[3] for line in listed.stdout.splitlines()}
    check(set(objects) <= seen, f"aws s3 ls misses {sorted(set(objects) - seen)[:3]}")
    environment |= {"RCLONE_CONFIG_HF_TYPE": "s3", "RCLONE_CONFIG_HF_PROVIDER": "Other",
                    "RCLONE_CONFIG_HF_ENV_AUTH": "true", "RCLONE_CONFIG_HF_ENDPOINT": server.s3_url}
    compare = subprocess.run(["/usr/bin/rclone", "check", "--one-way", "--download", os.path.join(home, "results"),
                              "hf:homes/alice/results"], env=environment, capture_output=True, text=True)
    check(compare.returncode == 0, f"rclone check: {compare.stderr}")
    world.saw(f"aws s3 ls shows {len(seen)} objects; rclone check finds no difference in results/")

    for word in ("once", "twice"):
        notebook.run(f"open('saved.txt', 'w').write('{word}')")
        server.wait_uploaded("alice")
    versions = [row["Size"] for row in s3.list_object_versions(Bucket="homes", Prefix="alice/saved.txt")["Versions"]]
    check(versions == [5, 4], f"saved twice, versions of sizes {versions}")
    world.saw("a file saved twice has two versions")


def drop_a_folder(world):
    server, person = world.server, world.person
    folder = os.path.join(world.scratch, "survey")
    os.makedirs(os.path.join(folder, "raw"), exist_ok=True)
    big = os.path.join(folder, "raw", "big.bin")
    with open(big, "wb") as file:
        for _ in range(300):
            file.write(os.urandom(1_000_000))
    with open(os.path.join(folder, "notes & ideas.txt"), "w", encoding="utf-8") as file:
        file.write("ünïcode\n")

    person.go(server.web_url + "/files/homes/alice/")
    person.find("upload-button")
    person.limit_uploads(100_000_000)  # Uppy tells its progress twice a second only
    person.drop("file-list", [folder])
    begun = time.monotonic()
    percents = set()

    def finished():
        percent = person.script("const e = document.querySelector('[data-testid=upload-progress]');"
                                "return e ? e.dataset.percent : null")
        if percent is not None:
            percents.add(int(float(percent)))
        check(not person.has("upload-error"), "the upload failed")
        return person.has("upload-done")
    wait_for("the upload to end", finished, 180)
    ended = time.monotonic()
    person.limit_uploads(-1)
    home_file = os.path.join(server.home("alice"), "survey/raw/big.bin")
    wait_for("the file in the running tool", lambda: os.path.getsize(home_file) == 300_000_000, 10, 0.02)
    arrived = time.monotonic() - ended
    check(len(percents - {0, 100}) >= 2, f"progress showed only {sorted(percents)}")
    digest = sha256_of(big)
    answer = world.run_in_tool("import hashlib; print(hashlib.sha256(open('survey/raw/big.bin','rb').read()).hexdigest())")
    check(answer.strip() == digest, "the tool reads other bytes than were dropped")
    world.saw(f"300 MB in {ended - begun:.1f} s, {len(percents)} steps of progress, in the tool {arrived:.2f} s later, "
              "byte-equal")

    # Where the bytes went: only the S3 listener saw PUTs with bodies.
    urls = person.requests("PUT")
    puts = {name: sum(url.startswith(base) for url in urls)
            for name, base in (("web", server.web_url), ("s3", server.s3_url))}
    check(puts["web"] == 0 and puts["s3"] >= 10, f"PUTs went to {puts}")
    world.saw(f"{puts['s3']} PUTs to signed URLs on the S3 listener, none to the web listener")

    person.go(server.web_url + "/files/homes/alice/survey/raw/")
    person.click("file-menu-big.bin")
    person.click("download-big.bin")
    saved = os.path.join(world.downloads, "big.bin")
    wait_for("the download", lambda: os.path.exists(saved) and os.path.getsize(saved) == 300_000_000, 60)
    check(sha256_of(saved) == digest, "the download differs")
    os.unlink(saved)
    world.saw("downloaded again from the console, byte-equal")

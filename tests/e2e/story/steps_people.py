"""Steps about people: who exists, what they may do."""
import os
import subprocess

from botocore.exceptions import ClientError

from harness import StepFailed, check, http_get, wait_for

SAMPLE_CSV = "/usr/share/matplotlib/mpl-data/sample_data/percent_bachelors_degrees_women_usa.csv"


def create_people(world):
    server = world.server
    for user in ("alice", "bob"):
        server.cli("user", "add", user)
    server.cli("bucket", "create", "research")
    server.cli("grant", "add", "alice", "write", "research")
    server.cli("grant", "add", "bob", "read", "research/public/")
    world.saw(server.cli("user", "list").strip().replace("\n", "\n     "))
    for user in ("alice", "bob"):
        world.keys[user] = server.keys_of(user)

    alice = server.s3(world.keys["alice"])
    with open(SAMPLE_CSV, "rb") as sample:
        alice.put_object(Bucket="research", Key="women.csv", Body=sample.read())
    alice.put_object(Bucket="research", Key="public/readme.txt", Body=b"for everybody")
    alice.put_object(Bucket="research", Key="public/deep/data.bin", Body=os.urandom(100_000))
    alice.put_object(Bucket="research", Key="publicity.txt", Body=b"not public")
    alice.put_object(Bucket="research", Key="secret/plan.txt", Body=b"not for bob")

    error = server.cli("user", "add", "Not A Name", expect=1)
    check("name" in error, f"a bad user name is not explained: {error}")
    error = server.cli("bucket", "create", "Bad_Bucket", expect=1)
    check("bucket" in error.lower(), f"a bad bucket name is not explained: {error}")
    error = server.cli("grant", "add", "alice", "write", "no-such-bucket", expect=1)
    check("no-such-bucket" in error, f"an unknown bucket is not named: {error}")
    world.saw("bad names and an unknown bucket are refused with a sentence")


def denied(call, *codes):
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        check(code in codes, f"answered {code}, not {codes}")
        return
    raise StepFailed("was allowed, but must not be")


def bob_and_his_grant(world):
    server = world.server
    bob = server.s3(world.keys["bob"])
    alice = server.s3(world.keys["alice"])

    # By S3.
    listed = bob.list_objects_v2(Bucket="research", Prefix="public/")
    keys = sorted(item["Key"] for item in listed["Contents"])
    check(keys == ["public/deep/data.bin", "public/readme.txt"], f"bob lists {keys}")
    check(bob.get_object(Bucket="research", Key="public/readme.txt")["Body"].read() == b"for everybody",
          "bob reads other bytes")
    denied(lambda: bob.list_objects_v2(Bucket="research"), "AccessDenied")
    denied(lambda: bob.list_objects_v2(Bucket="research", Prefix="public"), "AccessDenied")
    denied(lambda: bob.get_object(Bucket="research", Key="publicity.txt"), "AccessDenied")
    denied(lambda: bob.get_object(Bucket="research", Key="secret/plan.txt"), "AccessDenied")
    denied(lambda: bob.put_object(Bucket="research", Key="public/mine.txt", Body=b"x"), "AccessDenied")
    denied(lambda: bob.delete_object(Bucket="research", Key="public/readme.txt"), "AccessDenied")
    denied(lambda: bob.list_objects_v2(Bucket="homes", Prefix="alice/"), "AccessDenied")
    denied(lambda: bob.get_object(Bucket="homes", Key="alice/analysis.ipynb"), "AccessDenied")
    world.saw("by S3: public/ only; list, read and write elsewhere are AccessDenied")

    # By signed URL.
    def signed(method, key):
        return bob.generate_presigned_url(method, Params={"Bucket": "research", "Key": key}, ExpiresIn=300)
    check(http_get(signed("get_object", "public/readme.txt")) == (200, b"for everybody"), "signed URL fails")
    check(http_get(signed("get_object", "secret/plan.txt"))[0] == 403, "bob signs his way to secret/")
    tampered = signed("get_object", "public/readme.txt").replace("readme.txt", "deep/data.bin")
    check(http_get(tampered)[0] == 403, "a signature holds for another key")
    world.saw("by signed URL: the same; a signature does not hold for another key")

    # By mount: bob's own tool.
    server.cli("tool", "start", "jupyter", "--user", "bob")
    wait_for("bob's tool to be ready", lambda: any(
        row["user"] == "bob" and row["state"] == "ready" for row in server.cli_json("tool", "list")), 60)
    def seen(*command):
        return subprocess.run(["podman", "exec", world.container("bob"), *command], capture_output=True, text=True)
    listing = seen("ls", "/buckets", "/buckets/research", "/buckets/research/public")
    check(listing.returncode == 0, f"bob cannot list his bucket view: {listing.stderr}")
    names = listing.stdout.split()
    check("readme.txt" in names and "secret" not in names and "publicity.txt" not in names,
          f"bob's mount shows {names}")
    check(seen("cat", "/buckets/research/public/readme.txt").stdout == "for everybody", "bob's mount reads wrong bytes")
    written = seen("sh", "-c", "echo x > /buckets/research/public/mine.txt")
    check(written.returncode != 0, "bob writes through the mount")
    world.saw(f"by mount: {' '.join(names)}; writing says {written.stderr.strip().splitlines()[-1]}")

    # Revoked.
    grant = next(row["id"] for row in server.cli_json("grant", "list", "--principal", "bob"))
    server.cli("grant", "rm", str(grant))
    denied(lambda: bob.get_object(Bucket="research", Key="public/readme.txt"), "AccessDenied")
    check(http_get(signed("get_object", "public/readme.txt"))[0] == 403, "a signed URL outlives the grant")
    wait_for("/buckets/research to vanish from bob's mount",
             lambda: "research" not in seen("ls", "/buckets").stdout.split(), 10)
    check(seen("cat", "/buckets/research/public/readme.txt").returncode != 0, "bob still reads through the mount")
    check(alice.get_object(Bucket="research", Key="public/readme.txt")["Body"].read() == b"for everybody",
          "alice lost her access")
    world.saw("the grant removed: the next request is denied, /buckets/research is gone from his mount")
    server.cli("tool", "stop", "jupyter", "--user", "bob")
    wait_for("bob's tool to be gone", lambda: all(row["state"] == "stopped" for row in server.cli_json("tool", "list")
                                                  if row["user"] == "bob"), 60)
    world.person.settle()



"""Python's data tools against the S3 service: boto3 as PyPI has it now, pyarrow, s3fs, DuckDB. They
are no Debian packages: S3CLIENTS_PYTHON names an interpreter that has them (python3 -m venv, pip
install boto3 pyarrow s3fs duckdb). Each client that is missing is listed as skipped."""

import os
import subprocess
import unittest

from server import ServerTest

PYTHON = os.environ.get("S3CLIENTS_PYTHON", "/usr/bin/python3")

BOTO3 = """
import boto3, os, sys, time
from botocore.config import Config
if tuple(map(int, boto3.__version__.split(".")[:2])) < (1, 36): sys.exit(77)
client = boto3.client("s3", endpoint_url=sys.argv[1], config=Config(s3={"addressing_style": "path"}))
client.create_bucket(Bucket="modern")
body = os.urandom(20_000_000)
open("in", "wb").write(body)
client.upload_file("in", "modern", "large")
client.download_file("modern", "large", "out")
assert open("out", "rb").read() == body
for algorithm in ("CRC32", "SHA256", "SHA1"):
    put = client.put_object(Bucket="modern", Key="k", Body=b"text", ChecksumAlgorithm=algorithm)
    got = client.get_object(Bucket="modern", Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"text" and put["Checksum" + algorithm] == got["Checksum" + algorithm]
try:
    client.put_object(Bucket="modern", Key="k", Body=b"x", IfNoneMatch="*")
    raise SystemExit("a conditional write replaced an object")
except client.exceptions.ClientError as error:
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 412
client.delete_objects(Bucket="modern", Delete={"Objects": [{"Key": "k"}, {"Key": "large"}]})
assert "Contents" not in client.list_objects_v2(Bucket="modern")
"""

PYARROW = """
import sys
try:
    import pyarrow as pa, pyarrow.dataset as ds, pyarrow.fs as fs, pyarrow.parquet as pq
except ImportError:
    sys.exit(77)
s3 = fs.S3FileSystem(endpoint_override=sys.argv[1], region="us-east-1", allow_bucket_creation=True)
s3.create_dir("arrow")
table = pa.table({"n": list(range(200_000)), "t": [str(i % 7) for i in range(200_000)]})
pq.write_table(table, "arrow/one/data.parquet", filesystem=s3)
assert pq.read_table("arrow/one/data.parquet", filesystem=s3).equals(table)
ds.write_dataset(table, "arrow/many", filesystem=s3, format="parquet", partitioning=["t"],
                 partitioning_flavor="hive", existing_data_behavior="delete_matching")
back = ds.dataset("arrow/many", filesystem=s3, format="parquet", partitioning="hive")
assert back.count_rows() == 200_000
with s3.open_output_stream("arrow/stream") as out:
    for _ in range(30):
        out.write(b"z" * 1_000_000)
assert s3.get_file_info("arrow/stream").size == 30_000_000
with s3.open_input_file("arrow/stream") as file:
    file.seek(29_999_990)
    assert file.read() == b"z" * 10
s3.move("arrow/stream", "arrow/moved")
assert s3.get_file_info("arrow/stream").type == fs.FileType.NotFound
s3.delete_dir("arrow/many")
"""

S3FS = """
import sys
try:
    import s3fs
except ImportError:
    sys.exit(77)
s3 = s3fs.S3FileSystem(client_kwargs={"endpoint_url": sys.argv[1], "region_name": "us-east-1"})
s3.mkdir("fsspec")
with s3.open("fsspec/dir/large", "wb") as file:
    for _ in range(12):
        file.write(b"a" * 1_000_000)
assert s3.info("fsspec/dir/large")["size"] == 12_000_000
with s3.open("fsspec/dir/large", "rb") as file:
    file.seek(11_999_999)
    assert file.read() == b"a"
s3.copy("fsspec/dir/large", "fsspec/dir/copy")
s3.mv("fsspec/dir/copy", "fsspec/dir/moved")
assert sorted(s3.ls("fsspec/dir")) == ["fsspec/dir/large", "fsspec/dir/moved"]
assert s3.find("fsspec") == ["fsspec/dir/large", "fsspec/dir/moved"]
s3.rm("fsspec/dir", recursive=True)
s3.rmdir("fsspec")
"""

DUCKDB = """
import os, sys
try:
    import duckdb
    database = duckdb.connect()
    database.execute("INSTALL httpfs; LOAD httpfs")
except Exception as error:  # no module, or its extension cannot be had
    print(error)
    sys.exit(77)
host = sys.argv[1].removeprefix("http://")
database.execute(f\"\"\"CREATE SECRET (TYPE s3, KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}',
    SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}', REGION 'us-east-1', ENDPOINT '{host}',
    URL_STYLE 'path', USE_SSL false)\"\"\")
database.execute("COPY (SELECT range AS n, n % 10 AS g FROM range(1000000)) TO 's3://duck/t.parquet'")
assert database.execute("SELECT sum(n) FROM 's3://duck/t.parquet'").fetchone()[0] == 499999500000
database.execute("COPY (SELECT range AS n, n % 10 AS g FROM range(1000)) TO 's3://duck/parts' "
                 "(FORMAT parquet, PARTITION_BY (g))")
assert database.execute("SELECT count(*) FROM 's3://duck/parts/*/*.parquet'").fetchone()[0] == 1000
"""


class PythonClientsTest(ServerTest):
    def run_script(self, name, text):
        path = self.write(name + ".py", text.encode())
        done = subprocess.run([PYTHON, "-B", path, self.server.url], env=self.environment(),
                              cwd=self.directory, capture_output=True, text=True, timeout=200)
        if done.returncode == 77:
            self.skipTest(f"{name} is not installed for {PYTHON} {done.stdout.strip()}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_boto3_of_today(self):
        self.run_script("boto3_today", BOTO3)

    def test_pyarrow(self):
        self.run_script("pyarrow_client", PYARROW)

    def test_s3fs_of_fsspec(self):
        self.run_script("fsspec_client", S3FS)

    def test_duckdb(self):
        self.run_client(["/usr/bin/aws", "--endpoint-url", self.server.url, "s3", "mb", "s3://duck"])
        self.run_script("duckdb_client", DUCKDB)


if __name__ == "__main__":
    unittest.main(verbosity=2)

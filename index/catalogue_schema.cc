#include "index/catalogue_schema.h"

namespace holdfast::index {
namespace {

// Version rows of both tables have the same columns, so that a row moves by INSERT … SELECT.
constexpr const char* first_schema = R"sql(
CREATE TABLE state(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  segment INTEGER NOT NULL, offset INTEGER NOT NULL, sequence INTEGER NOT NULL,
  feed_after INTEGER NOT NULL, clean INTEGER NOT NULL);
INSERT INTO state VALUES(1, 0, 0, 0, 0, 0);

CREATE TABLE bucket(
  id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, created INTEGER NOT NULL,
  versioning INTEGER NOT NULL, object_lock INTEGER NOT NULL);
CREATE TABLE document(
  bucket INTEGER NOT NULL, kind INTEGER NOT NULL, text BLOB NOT NULL,
  PRIMARY KEY(bucket, kind)) WITHOUT ROWID;

CREATE TABLE current(
  bucket INTEGER NOT NULL, key BLOB NOT NULL, sequence INTEGER NOT NULL, version BLOB NOT NULL,
  marker INTEGER NOT NULL, etag BLOB NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
  meta BLOB NOT NULL, extents BLOB NOT NULL,
  PRIMARY KEY(bucket, key)) WITHOUT ROWID;
CREATE TABLE old(
  bucket INTEGER NOT NULL, key BLOB NOT NULL, sequence INTEGER NOT NULL, version BLOB NOT NULL,
  marker INTEGER NOT NULL, etag BLOB NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
  meta BLOB NOT NULL, extents BLOB NOT NULL,
  PRIMARY KEY(bucket, key, sequence DESC)) WITHOUT ROWID;
CREATE INDEX old_null ON old(bucket, key) WHERE version = x'6e756c6c';

CREATE TABLE upload(
  id BLOB PRIMARY KEY, bucket INTEGER NOT NULL, key BLOB NOT NULL, started INTEGER NOT NULL,
  meta BLOB NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX upload_by_key ON upload(bucket, key, id);
CREATE TABLE part(
  upload BLOB NOT NULL, number INTEGER NOT NULL, etag BLOB NOT NULL, size INTEGER NOT NULL,
  modified INTEGER NOT NULL, checksums BLOB NOT NULL, extents BLOB NOT NULL,
  PRIMARY KEY(upload, number)) WITHOUT ROWID;

CREATE TABLE blob(
  name BLOB PRIMARY KEY, refs INTEGER NOT NULL, bytes INTEGER NOT NULL,
  checksum INTEGER NOT NULL, damaged INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX blob_damaged ON blob(name) WHERE damaged = 1;
CREATE TABLE segment(number INTEGER PRIMARY KEY, live_bytes INTEGER NOT NULL);

CREATE TABLE change(
  bucket INTEGER NOT NULL, sequence INTEGER NOT NULL, kind INTEGER NOT NULL, key BLOB NOT NULL,
  version BLOB NOT NULL, etag BLOB NOT NULL, size INTEGER NOT NULL, time INTEGER NOT NULL,
  PRIMARY KEY(bucket, sequence)) WITHOUT ROWID;
)sql";

// Copies that were made before cannot be found by where their bodies lie: the index starts anew,
// and opening replays the log into it.
constexpr const char* lodgers = R"sql(
CREATE TABLE lodger(
  segment INTEGER NOT NULL, offset INTEGER NOT NULL, bucket INTEGER NOT NULL,
  sequence INTEGER NOT NULL, key BLOB NOT NULL, upload BLOB NOT NULL, number INTEGER NOT NULL,
  PRIMARY KEY(segment, offset, bucket, sequence, key, upload, number)) WITHOUT ROWID;
ALTER TABLE state ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE state ADD COLUMN row_bytes INTEGER NOT NULL DEFAULT 0;
DELETE FROM bucket; DELETE FROM document; DELETE FROM current; DELETE FROM old;
DELETE FROM upload; DELETE FROM part; DELETE FROM blob; DELETE FROM segment; DELETE FROM change;
UPDATE state SET segment=0, offset=0, sequence=0, feed_after=0, clean=0;
)sql";

// What buckets hold, and what they may: a limit is stored one higher, 0 is none.
constexpr const char* usage_and_quota = R"sql(
CREATE TABLE usage(
  bucket INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, objects INTEGER NOT NULL,
  quota_bytes INTEGER NOT NULL DEFAULT 0, quota_objects INTEGER NOT NULL DEFAULT 0);
INSERT INTO usage(bucket, bytes, objects)
  SELECT bucket, sum(bytes), sum(objects) FROM (
    SELECT bucket, sum(size) AS bytes, count(*) AS objects FROM current GROUP BY bucket
    UNION ALL
    SELECT bucket, sum(size), count(*) FROM old WHERE marker = 0 GROUP BY bucket
    UNION ALL
    SELECT upload.bucket, sum(part.size), 0 FROM part JOIN upload ON part.upload = upload.id
    GROUP BY upload.bucket)
  GROUP BY bucket;
)sql";

constexpr const char* steps[] = {first_schema, lodgers, usage_and_quota};

}  // namespace

const char* const count_usage_sql = R"sql(
UPDATE usage SET bytes = 0, objects = 0;
INSERT INTO usage(bucket, bytes, objects)
  SELECT bucket, sum(bytes), sum(objects) FROM (
    SELECT bucket, sum(size) AS bytes, count(*) AS objects FROM current GROUP BY bucket
    UNION ALL
    SELECT bucket, sum(size), count(*) FROM old WHERE marker = 0 GROUP BY bucket
    UNION ALL
    SELECT upload.bucket, sum(part.size), 0 FROM part JOIN upload ON part.upload = upload.id
    GROUP BY upload.bucket)
  WHERE true GROUP BY bucket
  ON CONFLICT(bucket) DO UPDATE SET bytes = excluded.bytes, objects = excluded.objects;
)sql";

std::span<const char* const> catalogue_steps() { return steps; }

}  // namespace holdfast::index

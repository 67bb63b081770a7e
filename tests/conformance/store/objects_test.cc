#include <algorithm>

#include "base/encoding.h"
#include "s3/checksum.h"
#include "store_conformance.h"

namespace holdfast::store {
namespace {

std::string md5_hex(std::string_view text) {
  return to_hex(as_bytes(s3::digest_of(s3::Algorithm::md5, text)));
}

TEST_P(StoreConformance, AnObjectIsReadAsItWasWritten) {
  const auto bucket = new_bucket();
  PutRequest request{.bucket = bucket, .key = ObjectKey("dir/file")};
  request.attributes.content_type = "text/plain";
  request.attributes.cache_control = "no-cache";
  request.attributes.metadata = {{"mtime", "1700000000.25"}, {"mode", "33188"}};
  const auto done = put(std::move(request), "hello");
  ASSERT_EQ(outcome(done), "ok");
  EXPECT_EQ(done->etag.value, md5_hex("hello"));
  EXPECT_EQ(done->size, 5u);
  EXPECT_TRUE(done->version.empty()) << "the bucket is not versioned";

  auto got = run(store().get(GetRequest{.bucket = bucket, .key = ObjectKey("dir/file")}));
  ASSERT_EQ(outcome(got), "ok");
  EXPECT_EQ(got->info.key.value, "dir/file");
  EXPECT_EQ(got->info.version.value, "null");
  EXPECT_EQ(got->info.etag, done->etag);
  EXPECT_EQ(got->info.size, 5u);
  EXPECT_EQ(got->length, 5u);
  EXPECT_FALSE(got->partial);
  EXPECT_EQ(got->info.attributes.content_type, "text/plain");
  EXPECT_EQ(got->info.attributes.cache_control, "no-cache");
  EXPECT_EQ(got->info.attributes.metadata.at("mtime"), "1700000000.25");
  EXPECT_EQ(got->info.attributes.metadata.at("mode"), "33188");
  EXPECT_EQ(*read(bucket, "dir/file"), "hello");

  auto known = head(bucket, "dir/file");
  ASSERT_EQ(outcome(known), "ok");
  EXPECT_EQ(known->info.size, 5u);
  EXPECT_EQ(known->info.etag, done->etag);
  EXPECT_EQ(known->info.attributes.metadata.at("mode"), "33188");
}

TEST_P(StoreConformance, EmptySmallAndLargeBodiesComeBackWhole) {
  const auto bucket = new_bucket();
  for (const std::size_t size : {0ul, 1ul, 4096ul, 131'072ul, 131'073ul, 3'000'000ul}) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 2654435761u >> 13);
    const auto done = put(bucket, "k", text);
    ASSERT_EQ(outcome(done), "ok") << size;
    EXPECT_EQ(done->etag.value, md5_hex(text));
    EXPECT_EQ(*read(bucket, "k"), text) << size;
  }
}

TEST_P(StoreConformance, ABodyOfUnknownLengthIsStoredWhole) {
  const auto bucket = new_bucket();
  BitingReader body(std::string(50'000, 'x'));
  ASSERT_EQ(outcome(run(store().put({.bucket = bucket, .key = ObjectKey("k")}, body))), "ok");
  EXPECT_EQ(*read(bucket, "k"), std::string(50'000, 'x'));
}

TEST_P(StoreConformance, WritingAgainReplacesTheObject) {
  const auto bucket = new_bucket();
  ASSERT_EQ(outcome(put(bucket, "k", "one")), "ok");
  ASSERT_EQ(outcome(put(bucket, "k", "two")), "ok");
  EXPECT_EQ(*read(bucket, "k"), "two");
  EXPECT_EQ(all_versions({.bucket = bucket}).size(), 1u);
}

TEST_P(StoreConformance, WhatIsMissingIsNoSuchKey) {
  const auto bucket = new_bucket();
  EXPECT_EQ(outcome(read(bucket, "k")), "no such key");
  EXPECT_EQ(outcome(head(bucket, "k")), "no such key");
  EXPECT_EQ(outcome(read(bucket, "k", VersionId("0123456789abcdef0123456789abcdef"))),
            "no such version");
}

TEST_P(StoreConformance, RangesAnswerWhatRfc9110Says) {
  const auto bucket = new_bucket();
  ASSERT_EQ(outcome(put(bucket, "k", "0123456789")), "ok");
  const auto range = [&](ByteRange r) {
    return read(GetRequest{.bucket = bucket, .key = ObjectKey("k"), .range = r});
  };
  EXPECT_EQ(*range({.first = 0, .last = 0}), "0");
  EXPECT_EQ(*range({.first = 2, .last = 4}), "234");
  EXPECT_EQ(*range({.first = 7}), "789");
  EXPECT_EQ(*range({.first = 7, .last = 100}), "789");
  EXPECT_EQ(*range({.suffix = 3}), "789");
  EXPECT_EQ(*range({.suffix = 100}), "0123456789");
  EXPECT_EQ(outcome(range({.first = 10})), "invalid range");
  EXPECT_EQ(outcome(range({.suffix = 0})), "invalid range");
  auto got = run(store().get(GetRequest{
      .bucket = bucket, .key = ObjectKey("k"), .range = ByteRange{.first = 2, .last = 4}}));
  ASSERT_EQ(outcome(got), "ok");
  EXPECT_TRUE(got->partial);
  EXPECT_EQ(got->first, 2u);
  EXPECT_EQ(got->length, 3u);
  EXPECT_EQ(got->info.size, 10u);
}

TEST_P(StoreConformance, ARangeOfNothingIsInvalid) {
  const auto bucket = new_bucket();
  ASSERT_EQ(outcome(put(bucket, "empty", "")), "ok");
  EXPECT_EQ(outcome(read(GetRequest{
                .bucket = bucket, .key = ObjectKey("empty"), .range = ByteRange{.first = 0}})),
            "invalid range");
}

TEST_P(StoreConformance, ReadConditionsChooseBetweenTheObjectAndARefusal) {
  const auto bucket = new_bucket();
  const auto etag = put(bucket, "k", "v")->etag;
  const auto modified = head(bucket, "k")->info.modified;
  const auto with = [&](ReadConditions conditions) {
    return outcome(read(
        GetRequest{.bucket = bucket, .key = ObjectKey("k"), .conditions = std::move(conditions)}));
  };
  const ETag other("00000000000000000000000000000000");
  const auto hour = std::chrono::hours(1);
  EXPECT_EQ(with({.if_match = {etag}}), "ok");
  EXPECT_EQ(with({.if_match = {other, etag}}), "ok");
  EXPECT_EQ(with({.if_match = {other}}), "precondition failed");
  EXPECT_EQ(with({.if_none_match = {other}}), "ok");
  EXPECT_EQ(with({.if_none_match = {etag}}), "not modified");
  EXPECT_EQ(with({.if_modified_since = modified - hour}), "ok");
  EXPECT_EQ(with({.if_modified_since = modified}), "not modified");
  EXPECT_EQ(with({.if_unmodified_since = modified + hour}), "ok");
  EXPECT_EQ(with({.if_unmodified_since = modified - hour}), "precondition failed");
  EXPECT_EQ(with({.if_match = {etag}, .if_unmodified_since = modified - hour}), "ok")
      << "a date is ignored beside a matching tag";
  EXPECT_EQ(with({.if_none_match = {other}, .if_modified_since = modified}), "ok");
}

TEST_P(StoreConformance, WriteConditionsGuardTheObject) {
  const auto bucket = new_bucket();
  if (departs(Departure::ignores_write_conditions)) {
    ASSERT_EQ(outcome(put(bucket, "k", "one", {.if_none_match_any = true})), "ok");
    EXPECT_EQ(outcome(put(bucket, "k", "two", {.if_none_match_any = true})), "precondition failed");
    EXPECT_EQ(outcome(put(bucket, "k", "two", {.if_match = ETag(md5_hex("one"))})),
              "precondition failed")
        << "it never matches";
    EXPECT_EQ(*read(bucket, "k"), "one");
    return;
  }
  EXPECT_EQ(outcome(put(bucket, "k", "x", {.if_match = ETag("abc")})), "no such key");
  ASSERT_EQ(outcome(put(bucket, "k", "one", {.if_none_match_any = true})), "ok");
  EXPECT_EQ(outcome(put(bucket, "k", "two", {.if_none_match_any = true})), "precondition failed");
  EXPECT_EQ(outcome(put(bucket, "k", "two", {.if_match = ETag(md5_hex("zero"))})),
            "precondition failed");
  EXPECT_EQ(*read(bucket, "k"), "one");
  EXPECT_EQ(outcome(put(bucket, "k", "two", {.if_match = ETag(md5_hex("one"))})), "ok");
  EXPECT_EQ(*read(bucket, "k"), "two");
}

TEST_P(StoreConformance, AWriteMayInsistThatTheObjectIsNotTheOneThatItKnows) {
  const auto bucket = new_bucket();
  const WriteConditions not_one{.if_none_match = ETag(md5_hex("one"))};
  if (departs(Departure::ignores_write_conditions)) {
    EXPECT_EQ(outcome(put(bucket, "k", "one", not_one)), "precondition failed") << "it never holds";
    return;
  }
  ASSERT_EQ(outcome(put(bucket, "k", "one", not_one)), "ok");
  EXPECT_EQ(outcome(put(bucket, "k", "two", not_one)), "precondition failed");
  ASSERT_EQ(outcome(put(bucket, "k", "two")), "ok");
  EXPECT_EQ(outcome(put(bucket, "k", "three", not_one)), "ok");
}

TEST_P(StoreConformance, RemovalsHoldToTheirConditionsWhereThereIsSomethingToRemove) {
  const auto bucket = new_bucket(Versioning::enabled);
  const auto attempt = [&](WriteConditions conditions,
                           std::optional<VersionId> version = std::nullopt) {
    return outcome(run(store().remove({.bucket = bucket,
                                       .key = ObjectKey("k"),
                                       .version = std::move(version),
                                       .conditions = std::move(conditions)})));
  };
  EXPECT_EQ(attempt({.if_match = ETag("abc")}), "ok") << "nothing is there";
  if (departs(Departure::ignores_write_conditions)) {
    ASSERT_EQ(outcome(put(bucket, "k", "one")), "ok");
    EXPECT_EQ(attempt({.if_match = ETag("abc")}), "ok") << "it is not looked at";
    return;
  }
  EXPECT_TRUE(all_versions({.bucket = bucket}).empty());
  const auto one = put(bucket, "k", "one");
  const auto info = head(bucket, "k")->info;
  EXPECT_EQ(attempt({.if_match = ETag("abc")}), "precondition failed");
  EXPECT_EQ(attempt({.if_size = 4}), "precondition failed");
  EXPECT_EQ(attempt({.if_modified_at = info.modified - std::chrono::hours(1)}),
            "precondition failed");
  EXPECT_EQ(attempt({.if_size = 4}, one->version), "precondition failed");
  EXPECT_EQ(*read(bucket, "k"), "one");
  EXPECT_EQ(attempt({.if_match = info.etag, .if_modified_at = info.modified, .if_size = 3}), "ok");
  EXPECT_EQ(outcome(read(bucket, "k")), "no such key");
  EXPECT_EQ(attempt({.if_match = info.etag}), "precondition failed") << "a marker has no ETag";
  EXPECT_EQ(attempt({.if_match = info.etag}, one->version), "ok");
  EXPECT_EQ(attempt({.if_match = ETag("abc")}, one->version), "ok") << "it is gone";
}

TEST_P(StoreConformance, ADeleteMarkerCountsAsNothingForWriteConditions) {
  const auto bucket = new_bucket(Versioning::enabled);
  ASSERT_EQ(outcome(put(bucket, "k", "one")), "ok");
  ASSERT_EQ(outcome(remove(bucket, "k")), "ok");
  EXPECT_EQ(outcome(put(bucket, "k", "x", {.if_match = ETag(md5_hex("one"))})),
            departs(Departure::ignores_write_conditions) ? "precondition failed" : "no such key");
  EXPECT_EQ(outcome(put(bucket, "k", "two", {.if_none_match_any = true})), "ok");
}

TEST_P(StoreConformance, ABodyThatFailsOrDisagreesLeavesNothing) {
  const auto bucket = new_bucket(Versioning::enabled);
  const auto attempt = [&](PutRequest request, BitingReader body) {
    request.bucket = bucket;
    request.key = ObjectKey("k");
    return outcome(run(store().put(std::move(request), body)));
  };
  EXPECT_NE(attempt({}, BitingReader("half", Error{ErrorCode::io, "the source broke"})), "ok");
  EXPECT_NE(attempt({.size = 400'000}, BitingReader(std::string(300'000, 'x'),
                                                    Error{ErrorCode::io, "the source broke"})),
            "ok");
  EXPECT_EQ(attempt({.size = 5}, BitingReader("1234")), "incomplete body");
  EXPECT_EQ(attempt({.md5 = std::string(16, '\0')}, BitingReader("text")), "bad digest");
  EXPECT_EQ(attempt({.expected = {{ChecksumAlgorithm::crc32c, ChecksumType::full_object,
                                   to_base64(as_bytes(std::string(4, '\1')))}}},
                    BitingReader("text")),
            "checksum mismatch");
  EXPECT_EQ(outcome(read(bucket, "k")), "no such key");
  EXPECT_TRUE(all_versions({.bucket = bucket}).empty());
}

TEST_P(StoreConformance, DeclaredDigestsThatHoldAreAccepted) {
  const auto bucket = new_bucket();
  using enum ChecksumAlgorithm;
  const std::pair<ChecksumAlgorithm, s3::Algorithm> pairs[] = {
      {crc32, s3::Algorithm::crc32},
      {crc32c, s3::Algorithm::crc32c},
      {crc64nvme, s3::Algorithm::crc64nvme},
      {sha1, s3::Algorithm::sha1},
      {sha256, s3::Algorithm::sha256}};
  for (const auto& [algorithm, same] : pairs) {
    const std::string value = to_base64(as_bytes(s3::digest_of(same, "123456789")));
    PutRequest request{.bucket = bucket, .key = ObjectKey("k"), .size = 9};
    request.md5 = s3::digest_of(s3::Algorithm::md5, "123456789");
    request.expected = {{algorithm, ChecksumType::full_object, value}};
    const auto done = put(std::move(request), "123456789");
    ASSERT_EQ(outcome(done), "ok") << value;
    const auto kept = head(bucket, "k");
    ASSERT_EQ(outcome(kept), "ok");
    if (departs(Departure::keeps_no_checksums)) {
      EXPECT_TRUE(kept->info.checksums.empty());
      continue;
    }
    ASSERT_EQ(kept->info.checksums.size(), 1u);
    EXPECT_EQ(kept->info.checksums[0].algorithm, algorithm);
    EXPECT_EQ(kept->info.checksums[0].value, value);
  }
}

TEST_P(StoreConformance, RemovingWhatIsNotThereSucceeds) {
  const auto bucket = new_bucket();
  EXPECT_EQ(outcome(remove(bucket, "never")), "ok");
  ASSERT_EQ(outcome(put(bucket, "k", "v")), "ok");
  EXPECT_EQ(outcome(remove(bucket, "k")), "ok");
  EXPECT_EQ(outcome(remove(bucket, "k")), "ok");
  EXPECT_EQ(outcome(read(bucket, "k")), "no such key");
  EXPECT_TRUE(all_versions({.bucket = bucket}).empty());
}

TEST_P(StoreConformance, ManyKeysAreRemovedAtOnceInOrder) {
  const auto bucket = new_bucket();
  std::vector<DeleteRequest> requests;
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(outcome(put(bucket, "k" + std::to_string(i), "v")), "ok");
    requests.push_back({.bucket = bucket, .key = ObjectKey("k" + std::to_string(i * 2))});
  }
  const auto answers = run(store().remove_many(requests));
  ASSERT_EQ(answers.size(), requests.size());
  for (const auto& answer : answers) EXPECT_EQ(outcome(answer), "ok");
  EXPECT_EQ(list_all({.bucket = bucket}).size(), 10u);
}

TEST_P(StoreConformance, ACopyHasTheSourcesBytesAndMetadata) {
  const auto bucket = new_bucket();
  const auto other = new_bucket();
  PutRequest request{.bucket = bucket, .key = ObjectKey("from")};
  request.attributes.content_type = "text/csv";
  request.attributes.metadata = {{"mode", "33188"}};
  const auto source = put(std::move(request), "bytes");
  ASSERT_EQ(outcome(source), "ok");
  const auto done = run(store().copy({.source_bucket = bucket,
                                      .source_key = ObjectKey("from"),
                                      .bucket = other,
                                      .key = ObjectKey("to")}));
  ASSERT_EQ(outcome(done), "ok");
  EXPECT_EQ(done->etag, source->etag);
  EXPECT_EQ(*read(other, "to"), "bytes");
  const auto info = head(other, "to")->info;
  EXPECT_EQ(info.attributes.content_type, "text/csv");
  EXPECT_EQ(info.attributes.metadata.at("mode"), "33188");
}

TEST_P(StoreConformance, ACopyOntoItselfReplacesTheMetadata) {
  const auto bucket = new_bucket();
  ASSERT_EQ(outcome(put(bucket, "k", "bytes")), "ok");
  ObjectAttributes attributes;
  attributes.content_type = "text/plain";
  attributes.metadata = {{"mode", "33261"}};
  ASSERT_EQ(outcome(run(store().copy({.source_bucket = bucket,
                                      .source_key = ObjectKey("k"),
                                      .bucket = bucket,
                                      .key = ObjectKey("k"),
                                      .replace = attributes}))),
            "ok");
  EXPECT_EQ(*read(bucket, "k"), "bytes");
  EXPECT_EQ(head(bucket, "k")->info.attributes.metadata.at("mode"), "33261");
  EXPECT_EQ(head(bucket, "k")->info.attributes.content_type, "text/plain");
}

TEST_P(StoreConformance, ACopyHonoursConditionsOnBothSides) {
  const auto bucket = new_bucket();
  const auto etag = put(bucket, "from", "bytes")->etag;
  const auto copy = [&](ReadConditions source, WriteConditions target) {
    return outcome(run(store().copy({.source_bucket = bucket,
                                     .source_key = ObjectKey("from"),
                                     .source_conditions = std::move(source),
                                     .bucket = bucket,
                                     .key = ObjectKey("to"),
                                     .conditions = std::move(target)})));
  };
  if (departs(Departure::ignores_source_conditions)) {
    EXPECT_EQ(copy({.if_match = {ETag("0123")}}, {}), "ok");
    EXPECT_EQ(copy({}, {.if_none_match_any = true}), "ok");
    return;
  }
  EXPECT_EQ(copy({.if_match = {ETag("0123")}}, {}), "precondition failed");
  EXPECT_EQ(copy({.if_none_match = {etag}}, {}), "precondition failed");
  EXPECT_EQ(outcome(read(bucket, "to")), "no such key");
  EXPECT_EQ(copy({.if_match = {etag}}, {.if_none_match_any = true}), "ok");
  EXPECT_EQ(copy({}, {.if_none_match_any = true}), "precondition failed");
}

TEST_P(StoreConformance, CopyingWhatIsMissingNamesTheMissing) {
  const auto bucket = new_bucket();
  EXPECT_EQ(outcome(run(store().copy({.source_bucket = bucket,
                                      .source_key = ObjectKey("none"),
                                      .bucket = bucket,
                                      .key = ObjectKey("to")}))),
            "no such key");
}

TEST_P(StoreConformance, TagsAreReplacedWithoutANewVersion) {
  const auto bucket = new_bucket(Versioning::enabled);
  const auto done = put(bucket, "k", "v");
  ASSERT_EQ(outcome(run(store().set_tags(bucket, ObjectKey("k"), std::nullopt,
                                         {{"colour", "blue"}, {"a b", "c&d"}}))),
            "ok");
  const auto info = head(bucket, "k")->info;
  EXPECT_EQ(info.version, done->version);
  EXPECT_EQ(info.attributes.tags.size(), 2u);
  EXPECT_EQ(info.attributes.tags.at("a b"), "c&d");
  ASSERT_EQ(outcome(run(store().set_tags(bucket, ObjectKey("k"), std::nullopt, {}))), "ok");
  EXPECT_TRUE(head(bucket, "k")->info.attributes.tags.empty());
  EXPECT_EQ(outcome(run(store().set_tags(bucket, ObjectKey("none"), std::nullopt, {}))),
            "no such key");
}

TEST_P(StoreConformance, KeysAreBytesOfOneTo1024) {
  const auto bucket = new_bucket();
  EXPECT_EQ(outcome(put(bucket, std::string(1024, 'k'), "v")), "ok");
  EXPECT_EQ(*read(bucket, std::string(1024, 'k')), "v");
  EXPECT_EQ(outcome(put(bucket, std::string(1025, 'k'), "v")), "invalid name");
  EXPECT_EQ(list_all({.bucket = bucket}).size(), 1u);
}

TEST_P(StoreConformance, OddKeysAreKeptApart) {
  const auto bucket = new_bucket();
  std::vector<std::string> keys = {
      "a",   "a/",        "a/b",        "a//b",   "/a",           "//",
      ".",   "..",        "a/./b",      "a/../b", "\x01\x1f\x7f", "\n",
      "a b", "a+b",       "a%2Fb",      "a?b#c",  "a&b=c",        "\xff\xfe",
      "é",   "e\xcc\x81", "quote\"'<>", "~",      "a:b",          "back\\slash",
      "*",   "trailing "};
  if (departs(Departure::takes_utf8_keys_only)) {
    EXPECT_EQ(outcome(put(bucket, "\xff\xfe", "v")), "invalid argument");
    std::erase(keys, "\xff\xfe");
  }
  for (const auto& key : keys) ASSERT_EQ(outcome(put(bucket, key, "body of " + key)), "ok") << key;
  for (const auto& key : keys) {
    const auto text = read(bucket, key);
    ASSERT_EQ(outcome(text), "ok") << key;
    EXPECT_EQ(*text, "body of " + key);
  }
  auto sorted = keys;
  std::ranges::sort(sorted);
  EXPECT_EQ(list_all({.bucket = bucket}), sorted);
  EXPECT_EQ(list_all({.bucket = bucket, .max_keys = 3}), sorted);
  ASSERT_EQ(outcome(remove(bucket, "a/")), "ok");
  EXPECT_EQ(*read(bucket, "a"), "body of a");
  EXPECT_EQ(*read(bucket, "a/b"), "body of a/b");
}

}  // namespace
}  // namespace holdfast::store

// Random histories under random lifecycle rules, day by day, against a model that works on whole
// keys: what a pass leaves is what the model keeps. RC_PARAMS=seed=… runs a failure again.
#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <set>

#include "store/lifecycle.h"
#include "tests/unit/store/store_test.h"

namespace holdfast::store {
namespace {

constexpr std::chrono::seconds day{100};

struct Version {
  std::uint64_t serial = 0;
  TimePoint time{};
  std::size_t size = 0;
  bool tagged = false, marker = false;
};
using Versions = std::vector<Version>;  // newest first

struct Rule {
  std::string prefix;
  bool tag = false;
  std::optional<std::size_t> above;
  std::optional<int> days, noncurrent;
  unsigned keep = 0;
  bool markers = false;

  std::string xml(int id) const {
    std::string out = fmt::format(
        "<Rule><ID>{}</ID><Status>Enabled</Status><Filter><And>"
        "<Prefix>{}</Prefix>",
        id, prefix);
    if (tag) out += "<Tag><Key>t</Key><Value>1</Value></Tag>";
    if (above) out += fmt::format("<ObjectSizeGreaterThan>{}</ObjectSizeGreaterThan>", *above);
    out += "</And></Filter>";
    if (days) out += fmt::format("<Expiration><Days>{}</Days></Expiration>", *days);
    if (markers) {
      out += "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
    }
    if (noncurrent) {
      out += fmt::format("<NoncurrentVersionExpiration><NoncurrentDays>{}</NoncurrentDays>",
                         *noncurrent);
      if (keep > 0)
        out += fmt::format("<NewerNoncurrentVersions>{}</NewerNoncurrentVersions>", keep);
      out += "</NoncurrentVersionExpiration>";
    }
    return out + "</Rule>";
  }
  bool covers(const std::string& key, const Version& v) const {
    if (!key.starts_with(prefix)) return false;
    if (!tag && !above) return true;
    return !v.marker && (!tag || v.tagged) && (!above || v.size > *above);
  }
};

// The model: one pass over one key at `now`. `serial` numbers a marker that is made.
void pass(Versions& all, const std::string& key, const std::vector<Rule>& rules, TimePoint now,
          std::uint64_t& serial) {
  const auto any = [&](auto&& says) { return std::ranges::any_of(rules, says); };
  std::set<std::uint64_t> gone;
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (any([&](const Rule& r) {
          return r.noncurrent && r.covers(key, all[i]) && i - 1 >= r.keep &&
                 now >= all[i - 1].time + *r.noncurrent * day;
        })) {
      gone.insert(all[i].serial);
    }
  }
  const Version latest = all.front();
  const bool lone = latest.marker && all.size() == 1;
  const bool old = any([&](const Rule& r) {
    return r.days && r.covers(key, latest) && now >= latest.time + *r.days * day;
  });
  if (lone && (old || any([&](const Rule& r) { return r.markers && r.covers(key, latest); }))) {
    gone.insert(latest.serial);
  }
  std::erase_if(all, [&](const Version& v) { return gone.contains(v.serial); });
  if (!latest.marker && old) all.insert(all.begin(), {++serial, now, 0, false, true});
}

class ModelRun : public StoreTest {
 public:
  void TestBody() override {}

  void choose_rules() {
    std::string text;
    const int count = *rc::gen::inRange(1, 4);
    for (int i = 0; i < count; ++i) {
      Rule rule;
      rule.prefix = *rc::gen::element<std::string>("", "a", "a/", "b");
      switch (*rc::gen::inRange(0, 3)) {
        case 0:
          rule.days = *rc::gen::inRange(1, 5);
          rule.tag = *rc::gen::arbitrary<bool>();
          if (*rc::gen::arbitrary<bool>()) rule.above = 1;
          break;
        case 1:
          rule.noncurrent = *rc::gen::inRange(1, 5);
          rule.keep = *rc::gen::inRange(0u, 3u);
          if (*rc::gen::arbitrary<bool>()) rule.above = 1;
          break;
        default:
          rule.markers = true;
      }
      text += rule.xml(i);
      rules_.push_back(std::move(rule));
    }
    text = "<LifecycleConfiguration>" + text + "</LifecycleConfiguration>";
    RC_ASSERT(run(memory_.set_bucket_document(bucket_, BucketDocument::lifecycle, text)));
  }

  void step() {
    const std::string key = *rc::gen::element<std::string>("a", "a/1", "a/2", "b", "c");
    switch (*rc::gen::inRange(0, 5)) {
      case 0:
      case 1: {
        clock_.advance(std::chrono::seconds(1));
        Version v{++serial_, clock_.now(), *rc::gen::inRange<std::size_t>(0, 4),
                  *rc::gen::arbitrary<bool>(), false};
        PutRequest put{.bucket = bucket_, .key = ObjectKey(key)};
        if (v.tagged) put.attributes.tags["t"] = "1";
        auto body = make_string_reader(std::string(v.size, 'x'));
        RC_ASSERT(run(memory_.put(std::move(put), *body)).has_value());
        model_[key].insert(model_[key].begin(), v);
        return;
      }
      case 2:
        erase(key);
        model_[key].insert(model_[key].begin(), {++serial_, clock_.now(), 0, false, true});
        return;
      default:
        clock_.advance(*rc::gen::inRange(0, 3) * day + std::chrono::seconds(7));
        return carry_out();
    }
  }

  void carry_out() {
    LifecycleRunner runner(memory_, clock_,
                           {.day = day, .versions_per_second = 0, .removals_per_second = 0}, {});
    const auto counts = run(runner.run_pass({}, {}));
    RC_ASSERT(counts.has_value());
    RC_ASSERT(counts->failed == 0u);
    for (auto& [key, versions] : model_) {
      if (!versions.empty()) pass(versions, key, rules_, clock_.now(), serial_);
    }
    std::vector<std::string> found, wanted;
    auto page = run(memory_.list_versions({.bucket = bucket_}));
    RC_ASSERT(page.has_value());
    for (const auto& v : page->versions)
      found.push_back(show(v.key.value, v.delete_marker, v.size, v.modified));
    for (const auto& [key, versions] : model_) {
      for (const auto& v : versions) wanted.push_back(show(key, v.marker, v.size, v.time));
    }
    RC_ASSERT(found == wanted);
  }

 private:
  static std::string show(const std::string& key, bool marker, std::size_t size, TimePoint time) {
    return fmt::format("{} {} {} {}", key, marker, size, to_rfc3339(time));
  }

  std::vector<Rule> rules_;
  std::map<std::string, Versions> model_;
  std::uint64_t serial_ = 0;
};

TEST(LifecycleModel, APassLeavesWhatTheRulesKeep) {
  const bool held = rc::check([] {
    ModelRun model;
    model.choose_rules();
    const int steps = *rc::gen::inRange(1, 40);
    for (int i = 0; i < steps; ++i) model.step();
    model.carry_out();
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace holdfast::store

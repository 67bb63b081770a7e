#include "gateway/acl.h"

#include <algorithm>
#include <array>

#include "gateway/s3_owner.h"
#include "s3/names.h"
#include "s3/xml.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::string_view all_users = "http://acs.amazonaws.com/groups/global/AllUsers";
constexpr std::string_view authenticated_users =
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";

struct Word {
  std::string_view text;
  Acl::Group Acl::* group;
  bool Acl::Group::* permission;
};
constexpr std::array<Word, 4> words = {{
    {"everyone-read", &Acl::everyone, &Acl::Group::read},
    {"everyone-write", &Acl::everyone, &Acl::Group::write},
    {"signed-in-read", &Acl::signed_in, &Acl::Group::read},
    {"signed-in-write", &Acl::signed_in, &Acl::Group::write},
}};

// Grants to the owner change nothing: it has everything.
s3::ApiResult<void> add_person(std::string_view id) {
  if (id == store_owner_id) return {};
  return s3::refuse(ApiError::not_implemented,
                    "ACLs open to groups only: what persons may do is said by grants.");
}

s3::ApiResult<void> add_group(Acl& acl, std::string_view permission, std::string_view uri) {
  if (uri != all_users && uri != authenticated_users) {
    return s3::refuse(ApiError::invalid_argument, "The group URI is unknown.");
  }
  Acl::Group& group = uri == all_users ? acl.everyone : acl.signed_in;
  if (permission == "READ") {
    group.read = true;
  } else if (permission == "WRITE") {
    group.write = true;
  } else {
    return s3::refuse(ApiError::not_implemented,
                      "Groups are given READ and WRITE only: who may share stays with grants.");
  }
  return {};
}

s3::ApiResult<void> add_grant(Acl& acl, const s3::XmlNode& grant) {
  const s3::XmlNode* grantee = grant.child("Grantee");
  const std::string_view permission = grant.value("Permission");
  constexpr std::array<std::string_view, 5> permissions = {"READ", "WRITE", "READ_ACP", "WRITE_ACP",
                                                           "FULL_CONTROL"};
  if (grant.name != "Grant" || grantee == nullptr ||
      std::ranges::find(permissions, permission) == permissions.end()) {
    return s3::refuse(ApiError::malformed_acl);
  }
  if (grantee->child("URI") != nullptr) return add_group(acl, permission, grantee->value("URI"));
  return add_person(grantee->value("ID"));
}

void write_grantee(s3::XmlWriter& xml, std::string_view uri) {
  const std::string_view type = uri.empty() ? "CanonicalUser" : "Group";
  xml.raw(
      std::string("<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"")
          .append(type)
          .append("\">"));
  if (uri.empty()) {
    xml.element("ID", store_owner().id);
    xml.element("DisplayName", store_owner().display_name);
  } else {
    xml.element("URI", uri);
  }
  xml.raw("</Grantee>");
}

void write_grant(s3::XmlWriter& xml, std::string_view uri, std::string_view permission) {
  xml.open("Grant");
  write_grantee(xml, uri);
  xml.element("Permission", permission);
  xml.close();
}

void write_group(s3::XmlWriter& xml, std::string_view uri, const Acl::Group& group) {
  if (group.read) write_grant(xml, uri, "READ");
  if (group.write) write_grant(xml, uri, "WRITE");
}

}  // namespace

std::string to_text(const Acl& acl) {
  std::string text;
  for (const Word& word : words) {
    if (!(acl.*word.group.*word.permission)) continue;
    if (!text.empty()) text += ' ';
    text += word.text;
  }
  return text;
}

std::optional<Acl> acl_from_text(std::string_view text) {
  Acl acl;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const auto found = std::ranges::find(words, text.substr(0, space), &Word::text);
    if (found == words.end()) return std::nullopt;
    acl.*(found->group).*(found->permission) = true;
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return acl;
}

s3::ApiResult<Acl> parse_canned_acl(std::string_view name) {
  Acl acl;
  if (name.empty() || name == "private" || name == "bucket-owner-full-control" ||
      name == "bucket-owner-read" || name == "aws-exec-read") {
    return acl;  // the bucket's owner owns every object
  }
  if (name == "authenticated-read") {
    acl.signed_in.read = true;
  } else if (name == "public-read" || name == "public-read-write") {
    acl.everyone = {.read = true, .write = name == "public-read-write"};
  } else if (name == "log-delivery-write") {
    return s3::refuse(ApiError::not_implemented, "There is no log delivery.");
  } else {
    return s3::refuse(ApiError::invalid_argument, "The canned ACL is unknown.");
  }
  return acl;
}

s3::ApiResult<void> add_acl_grants(Acl& acl, std::string_view permission,
                                   std::string_view grantees) {
  std::string name = s3::ascii_lower(permission);
  for (char& c : name) c = c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  while (!grantees.empty()) {
    const std::size_t comma = std::min(grantees.find(','), grantees.size());
    const std::string_view item = s3::trim_spaces(grantees.substr(0, comma));
    grantees.remove_prefix(std::min(comma + 1, grantees.size()));
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      return s3::refuse(ApiError::invalid_argument, "A grantee is written as id=… or uri=….");
    }
    const std::string kind = s3::ascii_lower(s3::trim_spaces(item.substr(0, equals)));
    std::string_view value = s3::trim_spaces(item.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    auto added =
        kind == "uri" ? add_group(acl, name, value) : add_person(kind == "id" ? value : "");
    if (!added) return added;
  }
  return {};
}

s3::ApiResult<Acl> parse_acl(std::string_view text) {
  auto root = s3::read_xml(text, "AccessControlPolicy");
  if (!root) return s3::refuse(ApiError::malformed_acl);
  const s3::XmlNode* list = root->child("AccessControlList");
  if (list == nullptr) return s3::refuse(ApiError::malformed_acl);
  Acl acl;
  for (const s3::XmlNode& grant : list->children) {
    if (auto added = add_grant(acl, grant); !added)
      return std::unexpected(std::move(added.error()));
  }
  return acl;
}

std::string to_xml(const Acl& acl) {
  s3::XmlWriter xml;
  xml.open_root("AccessControlPolicy");
  xml.open("Owner");
  xml.element("ID", store_owner().id);
  xml.element("DisplayName", store_owner().display_name);
  xml.close();
  xml.open("AccessControlList");
  write_grant(xml, {}, "FULL_CONTROL");
  write_group(xml, all_users, acl.everyone);
  write_group(xml, authenticated_users, acl.signed_in);
  return xml.finish();
}

}  // namespace holdfast::gateway

// The handlers of the S3 operations, one each, grouped in sources by topic. All have been
// authenticated and judged before they run, but for those that say otherwise. They answer what is
// to be sent; the service sends it.
#pragma once

#include "gateway/s3_call.h"

namespace holdfast::gateway {

// s3_buckets.cc
S3Answer list_buckets(S3Call& call);  // only what the principal can see
S3Answer create_bucket(S3Call& call);
S3Answer delete_bucket(S3Call& call);
S3Answer head_bucket(S3Call& call);
S3Answer get_location(S3Call& call);
S3Answer get_versioning(S3Call& call);
S3Answer put_versioning(S3Call& call);

// s3_documents.cc: sub-resources of a bucket that are kept as documents
S3Answer get_document(S3Call& call);
S3Answer put_document(S3Call& call);
S3Answer delete_document(S3Call& call);
S3Answer get_policy_status(S3Call& call);
S3Answer get_fixed_config(S3Call& call);

// s3_acl.cc
S3Answer get_bucket_acl(S3Call& call);
S3Answer put_bucket_acl(S3Call& call);
S3Answer get_object_acl(S3Call& call);
S3Answer put_object_acl(S3Call& call);

// s3_list.cc
S3Answer list_objects(S3Call& call);  // V1 and V2
S3Answer list_versions(S3Call& call);
S3Answer list_uploads(S3Call& call);

// s3_objects.cc
S3Answer get_object(S3Call& call);  // and HeadObject
S3Answer put_object(S3Call& call);

// s3_object_attributes.cc
S3Answer get_attributes(S3Call& call);

// s3_delete.cc
S3Answer delete_object(S3Call& call);
S3Answer delete_objects(S3Call& call);  // judges each key

// s3_copy.cc
S3Answer copy_object(S3Call& call);
S3Answer copy_part(S3Call& call);

// s3_object_state.cc
S3Answer get_tagging(S3Call& call);
S3Answer put_tagging(S3Call& call);
S3Answer delete_tagging(S3Call& call);
S3Answer get_retention(S3Call& call);
S3Answer put_retention(S3Call& call);
S3Answer get_legal_hold(S3Call& call);
S3Answer put_legal_hold(S3Call& call);

// s3_multipart.cc
S3Answer create_upload(S3Call& call);
S3Answer put_part(S3Call& call);
S3Answer complete_upload(S3Call& call);
S3Answer abort_upload(S3Call& call);
S3Answer list_parts(S3Call& call);

// s3_post_form.cc: authenticates and judges by the form's own fields
S3Answer post_form(S3Call& call);

// s3_events.cc: extensions of Holdfast
S3Answer watch_changes(S3Call& call);
S3Answer access_feed(S3Call& call);

// s3_sts.cc: temporary credentials; authenticates by its own rules
S3Answer security_token(S3Call& call);

// s3_preflight.cc: needs no identity
S3Answer preflight(S3Call& call);

}  // namespace holdfast::gateway

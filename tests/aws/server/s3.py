"""Names for S3 requests: path-style addressing on the loopback. The store itself is moto's.

moto 5.2.5 was found right in what the shared state needs (`server_tests/test_s3.py` holds it to that): PutObject with
If-None-Match: * answers 412 PreconditionFailed to the second writer, with If-Match 412 on another ETag and 404
NoSuchKey on a missing object, GetObject with If-None-Match 304; ETags are the content's MD5. Nothing is patched. The
409 ConditionalRequestConflict of two writes at the same moment is a fault to be asked for (`kind = "conflict"`).

Source: Amazon S3 User Guide, "Add preconditions to S3 operations with conditional requests", section on conditional
writes, and the API reference of PutObject (If-Match, If-None-Match).
"""

from urllib.parse import parse_qs, unquote

#: The permission that each operation needs, where it is not s3:<operation>.
PERMISSIONS = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjects": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "ListBuckets": "ListAllMyBuckets",
}
CONDITIONS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Range")


def name_of(environ, size):
    """The operation's name, and what of the request is worth a line in the log."""
    method = environ["REQUEST_METHOD"]
    bucket, _, key = unquote(environ.get("PATH_INFO", "/")).lstrip("/").partition("/")
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    parameters = {"Bucket": bucket} if bucket else {}
    if key:
        parameters["Key"] = key
    for name in CONDITIONS:
        value = environ.get("HTTP_" + name.upper().replace("-", "_"))
        if value is not None:
            parameters[name] = value
    if method == "PUT" and key:
        parameters["Size"] = size
    return _operation(method, bucket, key, query, environ), parameters


def _operation(method, bucket, key, query, environ):
    if not bucket:
        return "ListBuckets"
    if key:
        if method == "POST":
            return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
        if "uploadId" in query:
            return {"PUT": "UploadPart", "DELETE": "AbortMultipartUpload", "GET": "ListParts"}.get(method, method)
        if method == "PUT" and environ.get("HTTP_X_AMZ_COPY_SOURCE"):
            return "CopyObject"
        return {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}.get(
            method, method
        )
    if method == "POST" and "delete" in query:
        return "DeleteObjects"
    if method == "GET" and "list-type" in query:
        return "ListObjectsV2"
    names = {"PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket", "GET": "ListObjects"}
    for part in ("versioning", "location", "tagging", "policy", "lifecycle", "encryption", "acl"):
        if part in query:
            return {"GET": "GetBucket", "PUT": "PutBucket", "DELETE": "DeleteBucket"}.get(method, method) + part.title()
    return names.get(method, method)

"""Buckets and their notifications."""

from dataclasses import replace

from lib.engine.stack import Stack
from lib.resources import iam, lambda_, s3, sns, sqs
from lib.resources.base import tag_dict
from lib.resources.policies import let_in
from support import cases, theirs
from support.breaking import Policy, adding, altered, encrypted, setting, the
from support.case import ELSEWHERE, HERE, WHOLE, Break, Case, Change, Key, Others


def bucket(stack: Stack) -> s3.Bucket:
    return stack.add(s3.Bucket("files", HERE))


def _call(operation: str, **arguments):
    """Somebody calls S3 with a bucket's name."""
    return lambda client, ours: getattr(client, operation)(Bucket=ours.name, **arguments)


def _put_others(client, ours: s3.Bucket) -> None:
    name = ours.name
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.org"]}
    client.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [cors]})
    policy = client.get_bucket_policy(Bucket=name)["Policy"]
    policy = theirs.with_two_more(policy, ours.arn, "s3:GetObject", "s3:ListBucket")
    client.put_bucket_policy(Bucket=name, Policy=policy)
    rules = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    logs = {
        "ID": "logs",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "kind", "Value": "log"}]}},
        "Expiration": {"Days": 3},
    }
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [logs, *rules]})
    tags = client.get_bucket_tagging(Bucket=name)["TagSet"]
    client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [*theirs.TAG_LIST, *tags]})


def _get_others(client, ours: s3.Bucket) -> dict:
    name = ours.name
    rules = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    try:
        cors = client.get_bucket_cors(Bucket=name)["CORSRules"]
    except client.exceptions.ClientError:
        cors = None
    return {
        "cors": cors,
        "policy": theirs.statements_of_others(client.get_bucket_policy(Bucket=name)["Policy"]),
        "rules": [rule for rule in rules if rule["ID"] != "runbook"],
        "tags": theirs.tags_of_others(tag_dict(client.get_bucket_tagging(Bucket=name)["TagSet"])),
    }


def _key(client, ours: s3.Bucket) -> str | None:
    rules = client.get_bucket_encryption(Bucket=ours.name)["ServerSideEncryptionConfiguration"]["Rules"]
    return rules[0]["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID")


def _long_statements(policy: Policy) -> None:
    deny = policy["RunbookDenyInsecureTransport"]
    deny["Resource"] = deny["Resource"] + [f"{deny['Resource'][0]}/{number:030d}" for number in range(400)]


def _elsewhere(stack: Stack) -> s3.Bucket:
    """A bucket in another account, in which *replicate* may read."""
    bucket = stack.replace(s3.Bucket("copies", ELSEWHERE, found_in="222222222222"))
    role = the(stack, iam.Role, "replicate")
    reads = {"Sid": "Copies", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"{bucket.arn}/*"}
    role.policy = {**role.policy, "Statement": [*role.policy["Statement"], reads]}
    bucket.guests = [role]
    return bucket


def _guest(action: str):
    """A role that may do more there than the bucket lets it."""

    def change(stack: Stack) -> None:
        bucket = _elsewhere(stack)
        bucket.guests = []
        role = the(stack, iam.Role, "replicate")
        bucket.statements = let_in(role, bucket.arn)
        role.policy["Statement"][-1]["Action"] = ["s3:GetObject", action]

    return change


def _anybody_of_the_account(stack: Stack) -> None:
    bucket = _elsewhere(stack)
    (statement,) = let_in(the(stack, iam.Role, "replicate"), bucket.arn)
    bucket.statements = [{**statement, "Sid": "RunbookAllowAnybody", "Condition": {}}]


def notification(stack: Stack) -> s3.BucketNotification:
    source, topic = bucket(stack), cases.sns.topic(stack)
    return stack.add(s3.BucketNotification("files", HERE, bucket=source, destination=topic, key_prefix="in/"))


def queue_notification(stack: Stack) -> s3.BucketNotification:
    source = stack.add(s3.Bucket("incoming", ELSEWHERE))
    queue = stack.add(sqs.Queue("incoming", ELSEWHERE, senders={"s3.amazonaws.com": source.arn}))
    return stack.add(s3.BucketNotification("queue", ELSEWHERE, bucket=source, destination=queue))


def function_notification(stack: Stack) -> s3.BucketNotification:
    source, function = stack.add(s3.Bucket("incoming", ELSEWHERE)), cases.lambda_.function(stack)
    invoked = {"function": function, "principal": "s3.amazonaws.com", "source_arn": source.arn}
    stack.add(lambda_.Permission("from-incoming", ELSEWHERE, **invoked))
    handed = {"bucket": source, "destination": function, "events": ("s3:ObjectRemoved:*",)}
    return stack.add(s3.BucketNotification("function", ELSEWHERE, **handed))


def _change_entry(kind: str, **changed):
    """Somebody changes our entry of a bucket's notifications."""

    def change(client, ours: s3.BucketNotification) -> None:
        name = ours.bucket.name
        (entry,) = client.get_bucket_notification_configuration(Bucket=name)[kind]
        configuration = {kind: [{**entry, **changed}]}
        client.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration)

    return change


def _change_destination(client, ours: s3.BucketNotification) -> None:
    """Somebody has our entry's events go to a function of theirs: another kind of destination."""
    name = ours.bucket.name
    (entry,) = client.get_bucket_notification_configuration(Bucket=name)["QueueConfigurations"]
    function = {"LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:theirs"}
    entry = {"Id": entry["Id"], "Events": entry["Events"], **function}
    client.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"LambdaFunctionConfigurations": [entry]}
    )


def _put_entry_of_others(client, ours: s3.BucketNotification) -> None:
    """A second entry for the same destination, and EventBridge."""
    found = client.get_bucket_notification_configuration(Bucket=ours.bucket.name)
    kind, destination = s3.KINDS[ours.destination.service]
    entry = {"Id": "theirs", destination: ours.destination.arn, "Events": ["s3:ObjectTagging:*"]}
    configuration = {kind: [entry, *found[kind]], "EventBridgeConfiguration": {}}
    client.put_bucket_notification_configuration(
        Bucket=ours.bucket.name, NotificationConfiguration=configuration
    )


def _get_entries_of_others(client, ours: s3.BucketNotification) -> dict:
    found = client.get_bucket_notification_configuration(Bucket=ours.bucket.name)
    entries = found[s3.KINDS[ours.destination.service][0]]
    others = [entry for entry in entries if entry["Id"] != ours.name]
    return {"entries": others, "event bridge": found.get("EventBridgeConfiguration")}


def _second_notification(stack: Stack) -> s3.BucketNotification:
    return replace(the(stack, s3.BucketNotification, "files"), what="second", key_prefix="stocks/new/")


def _for_a_role(what: str, sid: str = "RunbookRead"):
    """Let a role read a bucket that is described before it."""

    def change(stack: Stack) -> None:
        one = the(stack, s3.Bucket, "files")
        role = f"arn:aws:iam::{stack.scope.account_id}:role/{stack.scope.name(what)}"
        allow = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "s3:GetObject"}
        one.statements = [{"Sid": sid, **allow, "Resource": f"{one.arn}/*"}]

    return change


ENTRY_OF_OTHERS = Others(_put_entry_of_others, _get_entries_of_others)
CASES = [
    Case(
        s3.Bucket,
        bucket,
        changes=[
            Change({"expire_days": 5}, {"lifecycle"}),
            Change({"expire_days": None}, {"lifecycle"}),
            Change({"keep_noncurrent_days": 2}, {"lifecycle"}),
            Change({"temporary_prefix": "staging/"}, {"lifecycle"}),
            Change({"temporary_prefix": ""}, {"lifecycle"}),
            Change({"object_lock_days": 1}, {"object_lock"}),
            Change({"object_lock_days": 2, "object_lock_mode": "COMPLIANCE"}, {"object_lock"}),
        ],
        drift={
            "versioning": _call("put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}),
            "encryption": _call(
                "put_bucket_encryption",
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
                },
            ),
            "public_access_block": _call("delete_public_access_block"),
            "policy": lambda client, ours: client.put_bucket_policy(
                Bucket=ours.name, Policy=theirs.policy(ours.arn, "s3:ListBucket")
            ),
            "lifecycle": _call("delete_bucket_lifecycle"),
            "tags": _call("delete_bucket_tagging"),
        },
        others=Others(_put_others, _get_others),
        in_notebooks="policy",
        key=Key({"encryption"}, _key, lambda settings: settings["encryption"]["KMSMasterKeyID"]),
        breaks=[
            Break("region-unknown", "index", setting(s3.Bucket, "exports", region="mars-east-1")),
            Break(
                "bucket-name",
                "index",
                setting(s3.Bucket, "exports", what="a-name-that-is-much-too-long-for-a-bucket"),
            ),
            Break("bucket-lifecycle", "ingest", setting(s3.Bucket, "results", expire_days=0)),
            Break("bucket-object-lock", "backup", setting(s3.Bucket, "dr", object_lock_days=40_000)),
            Break("guest-let-in", "backup", _guest("s3:GetObjectTagging")),
            Break("guest-named", "backup", _anybody_of_the_account),
            Break("bucket-policy-size", "ingest", altered(s3.Bucket, "results", _long_statements)),
            Break("kms-key", "migrate", encrypted(s3.Bucket, "source")),
            Break("policy-principal", "ingest", _for_a_role("nobody")),
            Break("order", "ingest", _for_a_role("consume")),
            Break("statement-sid", "ingest", _for_a_role("consume", sid="Mine"), frozenset()),
        ],
    ),
    Case(
        s3.BucketNotification,
        notification,
        changes=[
            Change({"key_suffix": ".csv"}, {"filter"}),
            Change({"key_prefix": "", "key_suffix": ""}, {"filter"}),
            Change({"events": ("s3:ObjectRemoved:*", "s3:ObjectCreated:Put")}, {"events"}),
        ],
        drift={
            "events": _change_entry("TopicConfigurations", Events=["s3:ObjectCreated:Put"]),
            "filter": _change_entry(
                "TopicConfigurations",
                Filter={"Key": {"FilterRules": [{"Name": "Prefix", "Value": "out/"}]}},
            ),
        },
        others=ENTRY_OF_OTHERS,
        in_notebooks=WHOLE,
        breaks=[
            Break(
                "event-unknown",
                "index",
                setting(s3.BucketNotification, "objects", events=("s3:ObjectMade:*",)),
            ),
            Break(
                "notification-filter-wildcard",
                "ingest",
                setting(s3.BucketNotification, "files", key_prefix="stocks/*.csv"),
            ),
            Break("event-unknown", "ingest", setting(s3.BucketNotification, "files", events=())),
            Break(
                "notification-filter",
                "ingest",
                setting(s3.BucketNotification, "files", key_prefix="x" * 1025),
            ),
            Break("notification-overlap", "ingest", adding(_second_notification)),
            Break("notification-destination", "migrate", setting(sns.Topic, "uploads", publishers={})),
            Break("notification-loop", "ingest", setting(s3.BucketNotification, "files", key_prefix="")),
        ],
    ),
    Case(
        s3.BucketNotification,
        queue_notification,
        use="to a queue",
        changes=[Change({"key_prefix": "in/"}, {"filter"})],
        drift={
            "destination": _change_destination,
            "events": _change_entry("QueueConfigurations", Events=["s3:ObjectCreated:Put"]),
        },
        others=ENTRY_OF_OTHERS,
    ),
    Case(
        s3.BucketNotification,
        function_notification,
        use="to a function",
        changes=[Change({"events": ("s3:ObjectCreated:*",)}, {"events"})],
        drift={"events": _change_entry("LambdaFunctionConfigurations", Events=["s3:ObjectRemoved:Delete"])},
        others=ENTRY_OF_OTHERS,
    ),
]

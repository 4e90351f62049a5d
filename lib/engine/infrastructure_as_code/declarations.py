"""What CloudFormation calls each type of resource, and its settings there."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from lib.resources import (
    athena,
    cloudtrail,
    cloudwatch,
    dynamodb,
    eventbridge,
    glue,
    iam,
    lambda_,
    logs,
    s3,
    s3_adopted,
    s3_inventory,
    sns,
    sqs,
)
from lib.resources.base import Resource, Settings, tag_list
from lib.resources.policies import document

Properties = dict[str, Any]
# Of an entry in S3's notification configuration: the name of its list, and of whom it tells.
NOTIFICATIONS = {
    "lambda": ("LambdaConfigurations", "Function"),
    "sqs": ("QueueConfigurations", "Queue"),
    "sns": ("TopicConfigurations", "Topic"),
}
KEY = re.compile(r"(.*) \((\w)\)")


@dataclass(frozen=True)
class Document:
    """JSON that CloudFormation takes as a whole, such as a policy; Terraform has it as text.

    Attributes:
        value: The JSON.
    """

    value: Any


class Map(dict[str, Any]):
    """A map whose keys are data, such as the names of a function's variables, and no properties."""


@dataclass(frozen=True)
class Output:
    """What another declaration gives when it is made, such as a queue's URL.

    Attributes:
        of: Its key.
        name: Such as `QueueUrl`.
    """

    of: tuple[str, str]
    name: str


@dataclass(frozen=True)
class Code:
    """A function's code, which lies beside the template.

    Attributes:
        function: The function's last name.
        content: The zip.
    """

    function: str
    content: bytes


@dataclass
class Declaration:
    """One resource in CloudFormation's words.

    Attributes:
        resource: What it declares, or a part of.
        type: Such as `AWS::SQS::Queue`.
        properties: Its settings; may hold a `Document`, an `Output`, a `Code`.
        identifier: What identifies it in its account, as CloudFormation's `primaryIdentifier` has it, parts
            joined with `|`; None if the account must be asked.
        needs: The ARNs of what must be there before it.
    """

    resource: Resource
    type: str
    properties: Properties
    identifier: str | None
    needs: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        # A permission names whom it lets in, who may come later; a policy only needs what it is of.
        if isinstance(self.resource, lambda_.Permission):
            self.needs |= {self.resource.function.arn}
        else:
            self.needs |= set(self.resource.needs) - {self.resource.arn}

    @property
    def holds_data(self) -> bool:
        """Whether what people have stored is in it."""
        return self.type in ("AWS::S3::Bucket", "AWS::DynamoDB::Table")

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by among a stack's declarations."""
        return self.type, self.resource.arn


@dataclass(frozen=True)
class NoEqual:
    """What of a stack the other tool cannot be told.

    Attributes:
        what: The resource.
        why: What it lacks, and what to do instead.
    """

    what: str
    why: str


def declarations(resources: Iterable[Resource]) -> tuple[list[Declaration], list[NoEqual]]:
    """Return a stack's resources in CloudFormation's words.

    Args:
        resources: In the order in which they depend on each other.

    Returns:
        The declarations, and what has no equal there.
    """
    found: list[Declaration] = []
    without: list[NoEqual] = []
    for resource in resources:
        for one in declare(resource, resource.desired()):
            if isinstance(one, NoEqual):
                without.append(one)
            elif isinstance(one, Declaration):
                found.append(one)
            else:
                bucket, part = one
                _join(found, without, bucket, part, resource)
    for one in found:  # S3 tries whether it may run a function before it takes a notification
        if isinstance(one.resource, lambda_.Permission):
            for source in found:
                if source.key == ("AWS::S3::Bucket", one.resource.source_arn):
                    source.needs.add(one.resource.arn)
    return found, without


def _join(
    found: list[Declaration], without: list[NoEqual], bucket: s3.Bucket, part: Properties, of: Resource
) -> None:
    """Add what is a part of a bucket there to the bucket's own declaration, if this stack has it."""
    whole = next((one for one in found if one.key == ("AWS::S3::Bucket", bucket.arn)), None)
    if whole is None:
        whose = "another pipeline's" if bucket.is_made else "somebody else's"
        why = f"there it is a part of bucket {bucket.name}, which is {whose}: leave it to the runbook"
        without.append(NoEqual(str(of), why))
        return
    for name, value in part.items():
        if isinstance(value, list):
            whole.properties.setdefault(name, []).extend(value)
        else:
            for kind, entries in value.items():
                whole.properties.setdefault(name, {}).setdefault(kind, []).extend(entries)
    whole.needs |= set(of.needs) - {bucket.arn}


Declared = Iterator[Declaration | NoEqual | tuple[s3.Bucket, Properties]]


@singledispatch
def declare(resource: Resource, settings: Settings) -> Declared:
    """Yield what one resource is there: declarations, parts of a bucket's, or that it has no equal.

    Args:
        resource: The resource.
        settings: Its desired settings.
    """
    yield NoEqual(str(resource), "CloudFormation does not know this type: leave it to the runbook")


@declare.register
def _(resource: s3.Bucket, settings: Settings) -> Declared:
    if resource.is_elsewhere:
        yield NoEqual(str(resource), "it lives in another account than the rest: leave it to the runbook")
        return
    rules = [_lifecycle(rule) for rule in settings["lifecycle"].values()]
    encryption = {"ServerSideEncryptionByDefault": settings["encryption"]}
    if "KMSMasterKeyID" in settings["encryption"]:
        encryption["BucketKeyEnabled"] = True
    properties: Properties = {
        "BucketName": resource.name,
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
        "PublicAccessBlockConfiguration": settings["public_access_block"],
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "LifecycleConfiguration": {"Rules": rules},
        "Tags": tag_list(settings["tags"]),
    }
    if "versioning" in settings:
        properties["VersioningConfiguration"] = {"Status": settings["versioning"]}
    if retention := settings.get("object_lock"):
        properties["ObjectLockEnabled"] = True
        locked = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
        properties["ObjectLockConfiguration"] = locked
    bucket = Declaration(resource, "AWS::S3::Bucket", properties, resource.name)
    yield bucket
    policy = {
        "Bucket": Output(bucket.key, "BucketName"),
        "PolicyDocument": _policy(settings["policy"].values()),
    }
    yield Declaration(resource, "AWS::S3::BucketPolicy", policy, resource.name)


@declare.register
def _(resource: s3_adopted.AdoptedBucket, settings: Settings) -> Declared:
    yield NoEqual(str(resource), "it is not ours; what is added to it is left to the runbook")


def _lifecycle(rule: dict) -> Properties:
    """Return a rule as CloudFormation has it, flat."""
    flat: Properties = {"Id": rule["ID"], "Status": rule["Status"]}
    if prefix := rule["Filter"]["Prefix"]:
        flat["Prefix"] = prefix
    if "AbortIncompleteMultipartUpload" in rule:
        flat["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    if days := rule.get("Expiration", {}).get("Days"):
        flat["ExpirationInDays"] = days
    if "ExpiredObjectDeleteMarker" in rule.get("Expiration", {}):
        flat["ExpiredObjectDeleteMarker"] = rule["Expiration"]["ExpiredObjectDeleteMarker"]
    if "NoncurrentVersionExpiration" in rule:
        flat["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    return flat


@declare.register
def _(resource: s3.BucketNotification, settings: Settings) -> Declared:
    kind, destination = NOTIFICATIONS[resource.destination.service]
    rules = [{"Name": name, "Value": value} for name, value in settings["filter"].items()]
    filtered = {"Filter": {"S3Key": {"Rules": rules}}} if rules else {}
    # One event an entry there, and no Id of one's own.
    entries = [
        {"Event": each, destination: settings["destination"], **filtered} for each in settings["events"]
    ]
    yield resource.bucket, {"NotificationConfiguration": {kind: entries}}


@declare.register
def _(resource: s3_inventory.InventoryConfiguration, settings: Settings) -> Declared:
    place = settings["Destination"]["S3BucketDestination"]
    entry = {
        "Id": resource.name,
        "Enabled": settings["IsEnabled"],
        "IncludedObjectVersions": settings["IncludedObjectVersions"],
        "OptionalFields": settings["OptionalFields"],
        "ScheduleFrequency": settings["Schedule"]["Frequency"],
        "Destination": {
            "BucketAccountId": place["AccountId"],
            "BucketArn": place["Bucket"],
            "Format": place["Format"],
        },
    }
    yield resource.source, {"InventoryConfigurations": [entry]}


@declare.register
def _(resource: sns.Topic, settings: Settings) -> Declared:
    properties: Properties = {"TopicName": resource.name, "Tags": tag_list(settings["tags"])}
    if settings["KmsMasterKeyId"]:
        properties["KmsMasterKeyId"] = settings["KmsMasterKeyId"]
    topic = Declaration(resource, "AWS::SNS::Topic", properties, resource.arn)
    yield topic
    policy = {
        "Topics": [Output(topic.key, "TopicArn")],
        "PolicyDocument": _policy(settings["policy"].values()),
    }
    yield Declaration(resource, "AWS::SNS::TopicPolicy", policy, resource.arn)


@declare.register
def _(resource: sns.Subscription, settings: Settings) -> Declared:
    properties: Properties = {
        "TopicArn": resource.topic.arn,
        "Protocol": resource.protocol,
        "Endpoint": resource.endpoint,
    }
    if "RawMessageDelivery" in settings:
        properties["RawMessageDelivery"] = settings["RawMessageDelivery"] == "true"
    yield Declaration(resource, "AWS::SNS::Subscription", properties, None)


@declare.register
def _(resource: sqs.Queue, settings: Settings) -> Declared:
    encryption = {
        name: value == "true" if name == "SqsManagedSseEnabled" else value
        for name, value in settings["encryption"].items()
    }
    properties: Properties = {
        "QueueName": resource.name,
        "VisibilityTimeout": int(settings["VisibilityTimeout"]),
        "MessageRetentionPeriod": int(settings["MessageRetentionPeriod"]),
        **encryption,
        "Tags": tag_list(settings["tags"]),
    }
    if "RedrivePolicy" in settings:
        properties["RedrivePolicy"] = Document(settings["RedrivePolicy"])
    queue = Declaration(resource, "AWS::SQS::Queue", properties, None)
    yield queue
    policy = {
        "Queues": [Output(queue.key, "QueueUrl")],
        "PolicyDocument": _policy(settings["policy"].values()),
    }
    yield Declaration(resource, "AWS::SQS::QueuePolicy", policy, None)


@declare.register
def _(resource: iam.Role, settings: Settings) -> Declared:
    properties: Properties = {
        "RoleName": resource.name,
        "AssumeRolePolicyDocument": Document(settings["trust"]),
        "Policies": [{"PolicyName": iam.POLICY_NAME, "PolicyDocument": Document(settings["policy"])}],
        "Tags": tag_list(settings["tags"]),
    }
    if settings.get("permissions_boundary"):
        properties["PermissionsBoundary"] = settings["permissions_boundary"]
    if settings["description"]:
        properties["Description"] = settings["description"]
    yield Declaration(resource, "AWS::IAM::Role", properties, resource.name)


@declare.register
def _(resource: lambda_.Function, settings: Settings) -> Declared:
    kept = {name: value for name, value in settings.items() if name not in ("Code", "tags")}
    properties = {
        "FunctionName": resource.name,
        "Code": Code(resource.what, resource.code),
        **kept,
        "Environment": {"Variables": Map(resource.environment)},
        "Tags": tag_list({**settings["tags"], **resource.code_tag()}),
    }
    log = f"arn:aws:logs:{resource.region}:{resource.scope.account_id}:log-group:/aws/lambda/{resource.name}"
    yield Declaration(resource, "AWS::Lambda::Function", properties, resource.name, {log})


@declare.register
def _(resource: lambda_.Permission, settings: Settings) -> Declared:
    properties: Properties = {
        "FunctionName": resource.function.name,
        "Action": settings["Action"],
        "Principal": settings["Principal"]["Service"],
        "SourceArn": resource.source_arn,
    }
    if account := settings["Condition"].get("StringEquals", {}).get("AWS:SourceAccount"):
        properties["SourceAccount"] = account
    # The statement's id is CloudFormation's own choice.
    yield Declaration(
        resource, "AWS::Lambda::Permission", properties, f"{resource.function.name}|{resource.name}"
    )


@declare.register
def _(resource: lambda_.EventSourceMapping, settings: Settings) -> Declared:
    properties = {
        "FunctionName": resource.function.name,
        "EventSourceArn": resource.queue.arn,
        **settings,
    }
    yield Declaration(resource, "AWS::Lambda::EventSourceMapping", properties, None)


@declare.register
def _(resource: lambda_.EventInvokeConfig, settings: Settings) -> Declared:
    properties = {
        "FunctionName": resource.function.name,
        "Qualifier": "$LATEST",
        "MaximumRetryAttempts": settings["MaximumRetryAttempts"],
        "MaximumEventAgeInSeconds": settings["MaximumEventAgeInSeconds"],
        "DestinationConfig": {"OnFailure": {"Destination": settings["OnFailure"]}},
    }
    identifier = f"{resource.function.name}|$LATEST"
    yield Declaration(resource, "AWS::Lambda::EventInvokeConfig", properties, identifier)


@declare.register
def _(resource: logs.LogGroup, settings: Settings) -> Declared:
    properties: Properties = {
        "LogGroupName": resource.name,
        "RetentionInDays": settings["retentionInDays"],
        "Tags": tag_list(settings["tags"]),
    }
    if settings["kmsKeyId"]:
        properties["KmsKeyId"] = settings["kmsKeyId"]
    yield Declaration(resource, "AWS::Logs::LogGroup", properties, resource.name)


@declare.register
def _(resource: glue.Database, settings: Settings) -> Declared:
    given = {"Name": resource.name, "Description": settings["Description"]}
    kept = {name: value for name, value in given.items() if value}
    properties = {"CatalogId": resource.scope.account_id, "DatabaseInput": kept}
    yield Declaration(resource, "AWS::Glue::Database", properties, resource.name)


@declare.register
def _(resource: glue.Table, settings: Settings) -> Declared:
    serde = settings["SerdeInfo"]
    table: Properties = {
        "Name": resource.name,
        "TableType": settings["TableType"],
        "Parameters": Document({"classification": settings["classification"], **settings["tags"]}),
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": kind} for name, kind in settings["Columns"].items()],
            "Location": settings["Location"],
            "InputFormat": settings["InputFormat"],
            "OutputFormat": settings["OutputFormat"],
            "SerdeInfo": {**serde, "Parameters": Document(serde["Parameters"])},
        },
    }
    if settings["Description"]:
        table["Description"] = settings["Description"]
    account = resource.scope.account_id
    properties = {"CatalogId": account, "DatabaseName": resource.database.name, "TableInput": table}
    identifier = f"{account}:{resource.database.name}:{resource.name}"
    yield Declaration(resource, "AWS::Glue::Table", properties, identifier)


@declare.register
def _(resource: glue.CsvClassifier, settings: Settings) -> Declared:
    properties = {"CsvClassifier": {"Name": resource.name, **settings}}
    yield Declaration(resource, "AWS::Glue::Classifier", properties, resource.name)


@declare.register
def _(resource: glue.Crawler, settings: Settings) -> Declared:
    properties: Properties = {
        "Name": resource.name,
        **{name: settings[name] for name in ("Role", "DatabaseName", "Targets", "SchemaChangePolicy")},
        "Configuration": json.dumps(settings["Configuration"]),
        "Tags": Document(settings["tags"]),
    }
    if settings["Classifiers"]:
        properties["Classifiers"] = settings["Classifiers"]
    if settings["Schedule"]:
        properties["Schedule"] = {"ScheduleExpression": settings["Schedule"]}
    yield Declaration(resource, "AWS::Glue::Crawler", properties, resource.name)


@declare.register
def _(resource: athena.WorkGroup, settings: Settings) -> Declared:
    encryption = {name: settings[name] for name in ("EncryptionOption", "KmsKey") if name in settings}
    results = {"OutputLocation": settings["OutputLocation"], "EncryptionConfiguration": encryption}
    flags = {
        name: settings[name]
        for name in (
            "BytesScannedCutoffPerQuery",
            "EnforceWorkGroupConfiguration",
            "PublishCloudWatchMetricsEnabled",
        )
    }
    properties = {
        "Name": resource.name,
        "WorkGroupConfiguration": {"ResultConfiguration": results, **flags},
        "Tags": tag_list(settings["tags"]),
    }
    yield Declaration(resource, "AWS::Athena::WorkGroup", properties, resource.name)


@declare.register
def _(resource: dynamodb.Table, settings: Settings) -> Declared:
    keys = {kind: _key(text) for kind, text in settings["keys"].items()}
    properties: Properties = {
        "TableName": resource.name,
        "KeySchema": Document([{"AttributeName": name, "KeyType": kind} for kind, (name, _) in keys.items()]),
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": letter} for name, letter in keys.values()
        ],
        "BillingMode": settings["BillingMode"],
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": settings["PointInTimeRecovery"] == "ENABLED"
        },
        **({"DeletionProtectionEnabled": True} if settings.get("DeletionProtectionEnabled") else {}),
        "Tags": tag_list(settings["tags"]),
    }
    if settings["TimeToLive"]:
        properties["TimeToLiveSpecification"] = {"AttributeName": settings["TimeToLive"], "Enabled": True}
    if settings["KMSMasterKeyArn"]:
        properties["SSESpecification"] = {
            "SSEEnabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": settings["KMSMasterKeyArn"],
        }
    yield Declaration(resource, "AWS::DynamoDB::Table", properties, resource.name)


def _key(text: str) -> tuple[str, str]:
    """Return a key's name and type, of `file_key (S)`."""
    found = KEY.fullmatch(text)
    assert found, f"a key is told as a name and its type, not as {text!r}"
    return found[1], found[2]


@declare.register
def _(resource: eventbridge.Rule, settings: Settings) -> Declared:
    properties: Properties = {
        "Name": resource.name,
        "ScheduleExpression": settings["ScheduleExpression"],
        "State": settings["State"],
        "Targets": [{"Arn": settings["Target"], "Id": eventbridge.TARGET_ID}],
        "Tags": tag_list(settings["tags"]),
    }
    if settings["Description"]:
        properties["Description"] = settings["Description"]
    yield Declaration(resource, "AWS::Events::Rule", properties, resource.arn)


@declare.register
def _(resource: cloudwatch.Alarm, settings: Settings) -> Declared:
    alarm = {name: value for name, value in settings.items() if name != "tags" and value not in ("", None)}
    properties = {"AlarmName": resource.name, **alarm, "Tags": tag_list(settings["tags"])}
    yield Declaration(resource, "AWS::CloudWatch::Alarm", properties, resource.name)


@declare.register
def _(resource: cloudwatch.Dashboard, settings: Settings) -> Declared:
    properties = {"DashboardName": resource.name, "DashboardBody": json.dumps(settings["body"])}
    yield Declaration(resource, "AWS::CloudWatch::Dashboard", properties, resource.name)


@declare.register
def _(resource: cloudtrail.Trail, settings: Settings) -> Declared:
    properties: Properties = {
        "TrailName": resource.name,
        "S3BucketName": settings["S3BucketName"],
        "IsMultiRegionTrail": settings["IsMultiRegionTrail"],
        "EnableLogFileValidation": settings["LogFileValidationEnabled"],
        "IsLogging": settings["IsLogging"],
        "AdvancedEventSelectors": [
            {"Name": cloudtrail.SELECTOR, "FieldSelectors": settings["FieldSelectors"]}
        ],
        "Tags": tag_list(settings["tags"]),
    }
    if settings["KmsKeyId"]:
        properties["KMSKeyId"] = settings["KmsKeyId"]
    yield Declaration(resource, "AWS::CloudTrail::Trail", properties, resource.name)


def _policy(statements: Iterable[dict]) -> Document:
    return Document(document(statements))

"""Settings that somebody else makes on what is ours: how they are written, and how they are read again."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lib.resources.base import our_tags, tag_dict
from lib.resources.policies import merge
from lib.resources.s3 import KINDS

TAGS = {"cost-center": "4711"}
TAG_LIST = [{"Key": key, "Value": value} for key, value in TAGS.items()]


@dataclass(frozen=True)
class Others:
    """What somebody else sets on a resource of ours; both are given a client and the resource."""

    write: Callable[[Any, Any], None]
    read: Callable[[Any, Any], Any]


def foreign_tags(tags: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key not in our_tags(tags)}


def statement(resource: str, action: str) -> dict:
    """A statement with no Sid, as many policies have."""
    principal = {"AWS": "arn:aws:iam::000000000000:root"}
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}


def foreign(policy: str | None) -> list[dict]:
    """The statements of a policy that are not ours, in their order."""
    statements = json.loads(policy)["Statement"] if policy else []
    return [s for s in statements if not s.get("Sid", "").startswith("Runbook")]


def with_two_more(policy: str, resource: str, *actions: str) -> str:
    document = json.loads(policy)
    more = [{"Sid": "Theirs", **statement(resource, actions[0])}, statement(resource, actions[-1])]
    return json.dumps({**document, "Statement": [more[0], *document["Statement"], more[1]]})


def write_bucket(s3, bucket) -> None:
    name = bucket.name
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.org"]}
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [cors]})
    policy = s3.get_bucket_policy(Bucket=name)["Policy"]
    actions = ("s3:GetObject", "s3:ListBucket")
    s3.put_bucket_policy(Bucket=name, Policy=with_two_more(policy, bucket.arn, *actions))
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    theirs = {
        "ID": "logs",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "kind", "Value": "log"}]}},
        "Expiration": {"Days": 3},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [theirs, *rules]})
    tags = s3.get_bucket_tagging(Bucket=name)["TagSet"]
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [*TAG_LIST, *tags]})


def read_bucket(s3, bucket) -> dict:
    name = bucket.name
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    try:
        cors = s3.get_bucket_cors(Bucket=name)["CORSRules"]
    except s3.exceptions.ClientError:
        cors = None
    return {
        "cors": cors,
        "policy": foreign(s3.get_bucket_policy(Bucket=name)["Policy"]),
        "rules": [rule for rule in rules if rule["ID"] != "runbook"],
        "tags": foreign_tags(tag_dict(s3.get_bucket_tagging(Bucket=name)["TagSet"])),
    }


def write_notification(s3, ours) -> None:
    """A second entry for the same destination, and EventBridge."""
    found = s3.get_bucket_notification_configuration(Bucket=ours.bucket.name)
    kind, destination = KINDS[ours.destination.service]
    theirs = {"Id": "theirs", destination: ours.destination.arn, "Events": ["s3:ObjectTagging:*"]}
    configuration = {kind: [theirs, *found[kind]], "EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket=ours.bucket.name, NotificationConfiguration=configuration)


def read_notification(s3, ours) -> dict:
    found = s3.get_bucket_notification_configuration(Bucket=ours.bucket.name)
    entries = found[KINDS[ours.destination.service][0]]
    theirs = [entry for entry in entries if entry["Id"] != ours.name]
    return {"entries": theirs, "event bridge": found.get("EventBridgeConfiguration")}


def write_inventory(s3, ours) -> None:
    """Another configuration of the same bucket."""
    where = {"Bucket": ours.source.name, "Id": ours.name}
    found = s3.get_bucket_inventory_configuration(**where)["InventoryConfiguration"]
    theirs = {**found, "Id": "theirs", "Schedule": {"Frequency": "Weekly"}}
    s3.put_bucket_inventory_configuration(Bucket=ours.source.name, Id="theirs", InventoryConfiguration=theirs)


def read_inventory(s3, ours) -> list[dict]:
    found = s3.list_bucket_inventory_configurations(Bucket=ours.source.name)["InventoryConfigurationList"]
    return [one for one in found if one["Id"] != ours.name]


def write_topic(sns, topic) -> None:
    policy = sns.get_topic_attributes(TopicArn=topic.arn)["Attributes"]["Policy"]
    policy = with_two_more(policy, topic.arn, "sns:Subscribe", "sns:GetTopicAttributes")
    for name, value in (("Policy", policy), ("DisplayName", "Files")):
        sns.set_topic_attributes(TopicArn=topic.arn, AttributeName=name, AttributeValue=value)
    sns.tag_resource(ResourceArn=topic.arn, Tags=TAG_LIST)


def read_topic(sns, topic) -> dict:
    attributes = sns.get_topic_attributes(TopicArn=topic.arn)["Attributes"]
    tags = tag_dict(sns.list_tags_for_resource(ResourceArn=topic.arn)["Tags"])
    return {
        "policy": foreign(attributes["Policy"]),
        "name": attributes["DisplayName"],
        "tags": foreign_tags(tags),
    }


def subscription_arn(sns, ours) -> str:
    found = sns.list_subscriptions_by_topic(TopicArn=ours.topic.arn)["Subscriptions"]
    return next(one["SubscriptionArn"] for one in found if one["Endpoint"] == ours.endpoint)


def write_subscription(sns, ours) -> None:
    value = json.dumps({"kind": ["csv"]})
    sns.set_subscription_attributes(
        SubscriptionArn=subscription_arn(sns, ours), AttributeName="FilterPolicy", AttributeValue=value
    )


def read_subscription(sns, ours) -> str | None:
    arn = subscription_arn(sns, ours)
    return sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"].get("FilterPolicy")


def write_queue(sqs, queue) -> None:
    url = queue.output(sqs)
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    policy = with_two_more(policy, queue.arn, "sqs:SendMessage", "sqs:ReceiveMessage")
    attributes = {"DelaySeconds": "7", "ReceiveMessageWaitTimeSeconds": "3", "Policy": policy}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    sqs.tag_queue(QueueUrl=url, Tags=TAGS)


def read_queue(sqs, queue) -> dict:
    url = queue.output(sqs)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {
        "delay": found["DelaySeconds"],
        "wait": found["ReceiveMessageWaitTimeSeconds"],
        "policy": foreign(found["Policy"]),
        "tags": foreign_tags(sqs.list_queue_tags(QueueUrl=url)["Tags"]),
    }


def write_role(iam, role) -> None:
    document = json.dumps(merge(None, [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]))
    iam.put_role_policy(RoleName=role.name, PolicyName="theirs", PolicyDocument=document)
    iam.tag_role(RoleName=role.name, Tags=TAG_LIST)
    iam.update_role(RoleName=role.name, Description="Theirs", MaxSessionDuration=7200)


def read_role(iam, role) -> dict:
    found = iam.get_role(RoleName=role.name)["Role"]
    return {
        "policies": sorted(iam.list_role_policies(RoleName=role.name)["PolicyNames"]),
        "tags": foreign_tags(tag_dict(iam.list_role_tags(RoleName=role.name)["Tags"])),
        "session": (found.get("Description"), found["MaxSessionDuration"]),
    }


def write_log_group(logs, ours) -> None:
    logs.tag_resource(resourceArn=ours.arn, tags=TAGS)
    transformation = {"metricName": "n", "metricNamespace": "theirs", "metricValue": "1"}
    logs.put_metric_filter(
        logGroupName=ours.name, filterName="theirs", filterPattern="", metricTransformations=[transformation]
    )


def read_log_group(logs, ours) -> dict:
    filters = logs.describe_metric_filters(logGroupName=ours.name)["metricFilters"]
    return {
        "filters": [one["filterName"] for one in filters],
        "tags": foreign_tags(logs.list_tags_for_resource(resourceArn=ours.arn)["tags"]),
    }


def write_function(client, ours) -> None:
    client.tag_resource(Resource=ours.arn, Tags=TAGS)
    client.update_function_configuration(FunctionName=ours.name, Description="Theirs")
    client.put_function_concurrency(FunctionName=ours.name, ReservedConcurrentExecutions=3)


def read_function(client, ours) -> dict:
    found = client.get_function(FunctionName=ours.name)
    concurrency = client.get_function_concurrency(FunctionName=ours.name)
    return {
        "tags": foreign_tags(found["Tags"]),
        "description": found["Configuration"].get("Description"),
        "concurrency": concurrency.get("ReservedConcurrentExecutions"),
    }


def the_mapping(client, ours) -> dict:
    return client.list_event_source_mappings(EventSourceArn=ours.queue.arn)["EventSourceMappings"][0]


def write_mapping(client, ours) -> None:
    pattern = {"Filters": [{"Pattern": '{"body": {"kind": ["csv"]}}'}]}
    client.update_event_source_mapping(UUID=the_mapping(client, ours)["UUID"], FilterCriteria=pattern)


def write_permission(client, ours) -> None:
    client.add_permission(
        FunctionName=ours.function.name,
        StatementId="theirs",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
    )


def read_permission(client, ours) -> list[dict]:
    statements = json.loads(client.get_policy(FunctionName=ours.function.name)["Policy"])["Statement"]
    return [statement for statement in statements if statement["Sid"] != ours.name]


def write_invoke_config(client, ours) -> None:
    found = client.get_function_event_invoke_config(FunctionName=ours.function.name)
    client.put_function_event_invoke_config(
        FunctionName=ours.function.name,
        MaximumRetryAttempts=found["MaximumRetryAttempts"],
        MaximumEventAgeInSeconds=found["MaximumEventAgeInSeconds"],
        DestinationConfig={
            "OnSuccess": {"Destination": ours.on_failure.arn},
            "OnFailure": {"Destination": ours.on_failure.arn},
        },
    )


def read_invoke_config(client, ours) -> object:
    found = client.get_function_event_invoke_config(FunctionName=ours.function.name)
    return found["DestinationConfig"].get("OnSuccess")


def write_rule(events, ours) -> None:
    """Another target, retries of ours, a pattern beside the schedule, a tag."""
    events.tag_resource(ResourceARN=ours.arn, Tags=TAG_LIST)
    names = ("ScheduleExpression", "State", "Description")
    rule = {name: ours.desired()[name] for name in names}
    events.put_rule(Name=ours.name, EventPattern='{"source": ["theirs"]}', **rule)
    arn = ours.function.arn
    retries = {"Id": "runbook", "Arn": arn, "RetryPolicy": {"MaximumRetryAttempts": 3}}
    events.put_targets(Rule=ours.name, Targets=[{"Id": "theirs", "Arn": arn}, retries])


def read_rule(events, ours) -> dict:
    return {
        "tags": foreign_tags(tag_dict(events.list_tags_for_resource(ResourceARN=ours.arn)["Tags"])),
        "pattern": events.describe_rule(Name=ours.name).get("EventPattern"),
        "targets": sorted(
            (target["Id"], str(target.get("RetryPolicy")))
            for target in events.list_targets_by_rule(Rule=ours.name)["Targets"]
        ),
    }


def write_table(dynamodb, ours) -> None:
    dynamodb.tag_resource(ResourceArn=ours.arn, Tags=TAG_LIST)
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    dynamodb.update_table(TableName=ours.name, DeletionProtectionEnabled=False, StreamSpecification=stream)


def read_table(dynamodb, ours) -> dict:
    return {
        "tags": foreign_tags(tag_dict(dynamodb.list_tags_of_resource(ResourceArn=ours.arn)["Tags"])),
        "stream": dynamodb.describe_table(TableName=ours.name)["Table"].get("StreamSpecification"),
    }


def write_json_table(glue, ours) -> None:
    table = ours._table_input({})
    storage = table["StorageDescriptor"]
    serde = {**storage["SerdeInfo"], "Name": "theirs"}
    serde["Parameters"] = {**serde["Parameters"], "mapping.name": "Name"}
    theirs = {
        "Owner": "they",
        "Parameters": {**table["Parameters"], "owner": "they"},
        "PartitionKeys": [{"Name": "dt", "Type": "string"}],
        "StorageDescriptor": {**storage, "SerdeInfo": serde, "Compressed": True},
    }
    glue.update_table(DatabaseName=ours.database.name, TableInput={**table, **theirs})


def read_json_table(glue, ours) -> dict:
    found = glue.get_table(DatabaseName=ours.database.name, Name=ours.name)["Table"]
    storage = found["StorageDescriptor"]
    return {
        "owner": (found.get("Owner"), found["Parameters"].get("owner")),
        "partitions": found["PartitionKeys"],
        "compressed": storage.get("Compressed"),
        "serde": (storage["SerdeInfo"].get("Name"), storage["SerdeInfo"]["Parameters"]),
    }


def write_alarm(cloudwatch, ours) -> None:
    cloudwatch.tag_resource(ResourceARN=ours.arn, Tags=TAG_LIST)
    theirs = {"OKActions": [ours.topic.arn], "InsufficientDataActions": [ours.topic.arn]}
    cloudwatch.put_metric_alarm(AlarmName=ours.name, ActionsEnabled=False, **ours._metric_alarm(), **theirs)


def read_alarm(cloudwatch, ours) -> dict:
    found = cloudwatch.describe_alarms(AlarmNames=[ours.name])["MetricAlarms"][0]
    return {
        "tags": foreign_tags(tag_dict(cloudwatch.list_tags_for_resource(ResourceARN=ours.arn)["Tags"])),
        "actions": found["OKActions"] + found["InsufficientDataActions"],
        "enabled": found["ActionsEnabled"],
    }


def write_database(glue, ours) -> None:
    given = {"Description": ours.description, "LocationUri": "s3://lake/", "Parameters": {"owner": "they"}}
    glue.update_database(Name=ours.name, DatabaseInput={"Name": ours.name, **given})
    columns = [{"Name": "n", "Type": "bigint"}]
    glue.create_table(
        DatabaseName=ours.name, TableInput={"Name": "theirs", "StorageDescriptor": {"Columns": columns}}
    )
    glue.tag_resource(ResourceArn=ours.arn, TagsToAdd=TAGS)


def read_database(glue, ours) -> dict:
    found = glue.get_database(Name=ours.name)["Database"]
    return {
        "location": found.get("LocationUri"),
        "parameters": found.get("Parameters"),
        "tables": [table["Name"] for table in glue.get_tables(DatabaseName=ours.name)["TableList"]],
        "tags": foreign_tags(glue.get_tags(ResourceArn=ours.arn)["Tags"]),
    }


def write_classifier(glue, ours) -> None:
    glue.delete_classifier(Name=ours.name)
    theirs = {"Name": ours.name, **ours.desired(), "DisableValueTrimming": True}
    glue.create_classifier(CsvClassifier=theirs)


def read_classifier(glue, ours) -> object:
    return glue.get_classifier(Name=ours.name)["Classifier"]["CsvClassifier"].get("DisableValueTrimming")


def write_crawler(glue, ours) -> None:
    path = ours.desired()["Targets"]["S3Targets"][0]["Path"]
    glue.update_crawler(
        Name=ours.name,
        Description="Theirs",
        TablePrefix="t_",
        RecrawlPolicy={"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"},
        Targets={"S3Targets": [{"Path": path, "Exclusions": ["**.tmp"]}]},
    )
    glue.tag_resource(ResourceArn=ours.arn, TagsToAdd=TAGS)


def read_crawler(glue, ours) -> dict:
    found = glue.get_crawler(Name=ours.name)["Crawler"]
    return {
        "settings": [found.get(key) for key in ("Description", "TablePrefix", "RecrawlPolicy")],
        "exclusions": [target.get("Exclusions", []) for target in found["Targets"]["S3Targets"]],
        "tags": foreign_tags(glue.get_tags(ResourceArn=ours.arn)["Tags"]),
    }


def write_workgroup(athena, ours) -> None:
    athena.tag_resource(ResourceARN=ours.arn, Tags=TAG_LIST)
    updates = {
        "RequesterPaysEnabled": True,
        "ResultConfigurationUpdates": {"ExpectedBucketOwner": "000000000000"},
        "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
    }
    athena.update_work_group(WorkGroup=ours.name, Description="Theirs", ConfigurationUpdates=updates)


def read_workgroup(athena, ours) -> dict:
    found = athena.get_work_group(WorkGroup=ours.name)["WorkGroup"]
    tags = tag_dict(athena.list_tags_for_resource(ResourceARN=ours.arn)["Tags"])
    return {
        "tags": foreign_tags(tags),
        "description": found.get("Description"),
        "pays": found["Configuration"].get("RequesterPaysEnabled"),
        "engine": found["Configuration"].get("EngineVersion"),
        "owner": found["Configuration"]["ResultConfiguration"].get("ExpectedBucketOwner"),
    }


def write_trail(cloudtrail, ours) -> None:
    cloudtrail.add_tags(ResourceId=ours.arn, TagsList=TAG_LIST)
    cloudtrail.update_trail(Name=ours.name, S3KeyPrefix="theirs")
    found = cloudtrail.get_event_selectors(TrailName=ours.name)["AdvancedEventSelectors"]
    management = {"Field": "eventCategory", "Equals": ["Management"]}
    theirs = {"Name": "theirs", "FieldSelectors": [management]}
    cloudtrail.put_event_selectors(TrailName=ours.name, AdvancedEventSelectors=[theirs, *found])


def read_trail(cloudtrail, ours) -> dict:
    selectors = cloudtrail.get_event_selectors(TrailName=ours.name)["AdvancedEventSelectors"]
    listed = cloudtrail.list_tags(ResourceIdList=[ours.arn])["ResourceTagList"]
    return {
        "tags": foreign_tags(tag_dict(listed[0]["TagsList"])),
        "prefix": cloudtrail.get_trail(Name=ours.name)["Trail"].get("S3KeyPrefix"),
        "selectors": [one for one in selectors if one["Name"] != "runbook"],
    }


OTHERS = {
    "Bucket": Others(write_bucket, read_bucket),
    "BucketNotification": Others(write_notification, read_notification),
    "BucketNotification to a queue": Others(write_notification, read_notification),
    "BucketNotification to a function": Others(write_notification, read_notification),
    "InventoryConfiguration": Others(write_inventory, read_inventory),
    "Topic": Others(write_topic, read_topic),
    "Subscription": Others(write_subscription, read_subscription),
    "Queue": Others(write_queue, read_queue),
    "Role": Others(write_role, read_role),
    "LogGroup": Others(write_log_group, read_log_group),
    "Function": Others(write_function, read_function),
    "EventSourceMapping": Others(
        write_mapping, lambda client, ours: the_mapping(client, ours).get("FilterCriteria")
    ),
    "Permission": Others(write_permission, read_permission),
    "EventInvokeConfig": Others(write_invoke_config, read_invoke_config),
    "Rule": Others(write_rule, read_rule),
    "Table": Others(write_table, read_table),
    "Glue table": Others(write_json_table, read_json_table),
    "Alarm": Others(write_alarm, read_alarm),
    "Database": Others(write_database, read_database),
    "CsvClassifier": Others(write_classifier, read_classifier),
    "Crawler": Others(write_crawler, read_crawler),
    "WorkGroup": Others(write_workgroup, read_workgroup),
    "Trail": Others(write_trail, read_trail),
}

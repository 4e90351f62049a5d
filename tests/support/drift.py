"""What somebody may change of each class, by the setting that a plan must then name."""

import json

from lib.resources.policies import document
from support.examples import a_zip


def theirs(arn: str, action: str) -> str:
    """A policy of one statement, which is not ours."""
    principal = {"AWS": "arn:aws:iam::000000000000:root"}
    return json.dumps(
        document([{"Effect": "Allow", "Principal": principal, "Action": action, "Resource": arn}])
    )


KEYS = ["runbook:env", "runbook:pipeline"]


def configure_bucket(call: str, **arguments):
    """Somebody calls S3 with a bucket's name."""
    return lambda s3, bucket: getattr(s3, call)(Bucket=bucket.name, **arguments)


def set_notification(kind: str = "TopicConfigurations", **changed):
    """Somebody changes our entry of a bucket's notifications."""

    def change(s3, ours) -> None:
        bucket = ours.bucket.name
        (entry,) = s3.get_bucket_notification_configuration(Bucket=bucket)[kind]
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={kind: [{**entry, **changed}]}
        )

    return change


def move_notification(s3, ours) -> None:
    """Somebody has our entry's events go to the bucket's owner instead: another kind of destination."""
    bucket = ours.bucket.name
    (entry,) = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    function = {"LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:theirs"}
    entry = {"Id": entry["Id"], "Events": entry["Events"], **function}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [entry]}
    )


def set_inventory(**changed):
    """Somebody changes our inventory configuration of a bucket."""

    def change(s3, ours) -> None:
        where = {"Bucket": ours.source.name, "Id": ours.name}
        found = s3.get_bucket_inventory_configuration(**where)["InventoryConfiguration"]
        s3.put_bucket_inventory_configuration(**where, InventoryConfiguration={**found, **changed})

    return change


def set_queue(**attributes):
    def change(sqs, queue) -> None:
        sqs.set_queue_attributes(QueueUrl=queue.output(sqs), Attributes=attributes)

    return change


def untag_queue(sqs, queue) -> None:
    sqs.untag_queue(QueueUrl=queue.output(sqs), TagKeys=KEYS)


def unset_raw_delivery(sns, subscription) -> None:
    arn = sns.list_subscriptions_by_topic(TopicArn=subscription.topic.arn)["Subscriptions"][0][
        "SubscriptionArn"
    ]
    sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="false"
    )


def distrust(iam, role) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(RoleName=role.name, PolicyDocument=json.dumps(document([trust])))


def configure_function(**arguments):
    return lambda client, ours: client.update_function_configuration(FunctionName=ours.name, **arguments)


def configure_mapping(**arguments):
    def change(client, ours) -> None:
        found = client.list_event_source_mappings(EventSourceArn=ours.queue.arn)["EventSourceMappings"]
        client.update_event_source_mapping(UUID=found[0]["UUID"], **arguments)

    return change


def allow_anew(**changed):
    """Nobody can change a statement of a function's policy."""

    def change(client, ours) -> None:
        client.remove_permission(FunctionName=ours.function.name, StatementId=ours.name)
        given = {"Action": "lambda:InvokeFunction", "Principal": ours.principal, "SourceArn": ours.source_arn}
        given |= {"SourceAccount": ours.scope.account_id, **changed}
        client.add_permission(FunctionName=ours.function.name, StatementId=ours.name, **given)

    return change


def configure_invocations(**arguments):
    def change(client, ours) -> None:
        given = {"DestinationConfig": {"OnFailure": {"Destination": ours.on_failure.arn}}, **arguments}
        client.put_function_event_invoke_config(FunctionName=ours.function.name, **given)

    return change


def put_rule(**changed):
    def change(events, ours) -> None:
        names = ("ScheduleExpression", "State", "Description")
        rule = {name: ours.desired()[name] for name in names}
        events.put_rule(Name=ours.name, **{**rule, **changed})

    return change


def put_target(events, ours) -> None:
    theirs = "arn:aws:lambda:us-east-1:000000000000:function:theirs"
    events.put_targets(Rule=ours.name, Targets=[{"Id": "runbook", "Arn": theirs}])


def call_dynamodb(call: str, **arguments):
    return lambda dynamodb, ours: getattr(dynamodb, call)(TableName=ours.name, **arguments)


def update_table(**changed):
    """Somebody changes a table of the Glue Data Catalog; `storage` is a part of it."""

    def change(glue, ours) -> None:
        table = ours._table_input({})
        storage = {**table["StorageDescriptor"], **changed.get("storage", {})}
        rest = {name: value for name, value in changed.items() if name != "storage"}
        glue.update_table(
            DatabaseName=ours.database.name, TableInput={**table, "StorageDescriptor": storage, **rest}
        )

    return change


def put_alarm(**changed):
    def change(cloudwatch, ours) -> None:
        cloudwatch.put_metric_alarm(AlarmName=ours.name, **{**ours._metric_alarm(), **changed})

    return change


def make_classifier_anew(**changed):
    """The local AWS cannot update a classifier."""

    def change(glue, ours) -> None:
        glue.delete_classifier(Name=ours.name)
        glue.create_classifier(CsvClassifier={"Name": ours.name, **ours.desired(), **changed})

    return change


def update_crawler(**arguments):
    return lambda glue, ours: glue.update_crawler(Name=ours.name, **arguments)


def update_workgroup(**updates):
    return lambda athena, ours: athena.update_work_group(WorkGroup=ours.name, ConfigurationUpdates=updates)


def select_events(**selector):
    """Somebody changes what our trail records."""
    return lambda cloudtrail, ours: cloudtrail.put_event_selectors(TrailName=ours.name, **selector)


def update_trail(**arguments):
    return lambda cloudtrail, ours: cloudtrail.update_trail(Name=ours.name, **arguments)


def untag_glue(glue, ours) -> None:
    glue.untag_resource(ResourceArn=ours.arn, TagsToRemove=KEYS)


DRIFT = {
    "Bucket": {
        "versioning": configure_bucket(
            "put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}
        ),
        "encryption": configure_bucket(
            "put_bucket_encryption",
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
            },
        ),
        "public_access_block": configure_bucket("delete_public_access_block"),
        "policy": lambda s3, ours: s3.put_bucket_policy(
            Bucket=ours.name, Policy=theirs(ours.arn, "s3:ListBucket")
        ),
        "lifecycle": configure_bucket("delete_bucket_lifecycle"),
        "tags": configure_bucket("delete_bucket_tagging"),
    },
    "BucketNotification": {
        "events": set_notification(Events=["s3:ObjectCreated:Put"]),
        "filter": set_notification(Filter={"Key": {"FilterRules": [{"Name": "Prefix", "Value": "out/"}]}}),
    },
    "BucketNotification to a queue": {
        "destination": move_notification,
        "events": set_notification("QueueConfigurations", Events=["s3:ObjectCreated:Put"]),
    },
    "BucketNotification to a function": {
        "events": set_notification("LambdaFunctionConfigurations", Events=["s3:ObjectRemoved:Delete"]),
    },
    "InventoryConfiguration": {
        "Destination": set_inventory(
            Destination={"S3BucketDestination": {"Bucket": "arn:aws:s3:::theirs", "Format": "CSV"}}
        ),
        "IsEnabled": set_inventory(IsEnabled=False),
        "Filter": set_inventory(Filter={"Prefix": "in/"}),
        "IncludedObjectVersions": set_inventory(IncludedObjectVersions="Current"),
        "OptionalFields": set_inventory(OptionalFields=["Size"]),
        "Schedule": set_inventory(Schedule={"Frequency": "Weekly"}),
    },
    "Topic": {
        "policy": lambda sns, ours: sns.set_topic_attributes(
            TopicArn=ours.arn, AttributeName="Policy", AttributeValue=theirs(ours.arn, "sns:Subscribe")
        ),
        "KmsMasterKeyId": lambda sns, ours: sns.set_topic_attributes(
            TopicArn=ours.arn, AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns"
        ),
        "tags": lambda sns, ours: sns.untag_resource(ResourceArn=ours.arn, TagKeys=KEYS[:1]),
    },
    "Subscription": {"RawMessageDelivery": unset_raw_delivery},
    "Queue": {
        "VisibilityTimeout": set_queue(VisibilityTimeout="1"),
        "MessageRetentionPeriod": set_queue(MessageRetentionPeriod="60"),
        "encryption": set_queue(SqsManagedSseEnabled="false"),
        "RedrivePolicy": set_queue(RedrivePolicy=""),
        "policy": lambda sqs, ours: sqs.set_queue_attributes(
            QueueUrl=ours.output(sqs), Attributes={"Policy": theirs(ours.arn, "sqs:ReceiveMessage")}
        ),
        "tags": untag_queue,
    },
    "Role": {
        "trust": distrust,
        "policy": lambda iam, ours: iam.delete_role_policy(RoleName=ours.name, PolicyName="runbook"),
        "tags": lambda iam, ours: iam.untag_role(RoleName=ours.name, TagKeys=KEYS),
    },
    "LogGroup": {
        "retentionInDays": lambda logs, ours: logs.delete_retention_policy(logGroupName=ours.name),
        "kmsKeyId": lambda logs, ours: logs.associate_kms_key(logGroupName=ours.name, kmsKeyId="theirs"),
        "tags": lambda logs, ours: logs.untag_resource(resourceArn=ours.arn, tagKeys=KEYS),
    },
    "Function": {
        "CodeSha256": lambda client, ours: client.update_function_code(
            FunctionName=ours.name, ZipFile=a_zip("theirs")
        ),
        "Handler": configure_function(Handler="theirs.handler"),
        "Runtime": configure_function(Runtime="python3.12"),
        "Role": configure_function(Role="arn:aws:iam::000000000000:role/theirs"),
        "MemorySize": configure_function(MemorySize=1024),
        "EphemeralStorage": configure_function(EphemeralStorage={"Size": 600}),
        "Environment": configure_function(
            Environment={"Variables": {"TARGET_BUCKET": "here", "THEIRS": "1"}}
        ),
        "tags": lambda client, ours: client.untag_resource(Resource=ours.arn, TagKeys=KEYS),
    },
    "EventSourceMapping": {
        "BatchSize": configure_mapping(BatchSize=2),
        "ScalingConfig": configure_mapping(ScalingConfig={}),
        "FunctionResponseTypes": configure_mapping(FunctionResponseTypes=[]),
        "Enabled": configure_mapping(Enabled=False),
    },
    "Permission": {
        "Action": allow_anew(Action="lambda:GetFunction"),
        "Condition": allow_anew(SourceArn="arn:aws:s3:::theirs"),
        "Principal": allow_anew(Principal="sns.amazonaws.com"),
    },
    "EventInvokeConfig": {
        "MaximumRetryAttempts": configure_invocations(MaximumRetryAttempts=1),
        "MaximumEventAgeInSeconds": configure_invocations(MaximumEventAgeInSeconds=90),
        "OnFailure": configure_invocations(DestinationConfig={}),
    },
    "Rule": {
        "ScheduleExpression": put_rule(ScheduleExpression="rate(2 days)"),
        "State": lambda events, ours: events.enable_rule(Name=ours.name),
        "Description": put_rule(Description="Theirs"),
        "Target": put_target,
        "tags": lambda events, ours: events.untag_resource(ResourceARN=ours.arn, TagKeys=KEYS),
    },
    "Table": {
        "TimeToLive": call_dynamodb(
            "update_time_to_live",
            TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": False},
        ),
        "PointInTimeRecovery": call_dynamodb(
            "update_continuous_backups",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
        ),
        "BillingMode": call_dynamodb(
            "update_table",
            BillingMode="PROVISIONED",
            ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        ),
        "KMSMasterKeyArn": call_dynamodb(
            "update_table", SSESpecification={"Enabled": True, "SSEType": "KMS"}
        ),
        "tags": lambda dynamodb, ours: dynamodb.untag_resource(ResourceArn=ours.arn, TagKeys=KEYS),
    },
    "Glue table": {
        "Description": update_table(Description="Theirs"),
        "Location": update_table(storage={"Location": "s3://theirs/"}),
        "Columns": update_table(storage={"Columns": [{"Name": "theirs", "Type": "string"}]}),
        "SerdeInfo": update_table(storage={"SerdeInfo": {"SerializationLibrary": "theirs"}}),
        "InputFormat": update_table(storage={"InputFormat": "theirs"}),
        "TableType": update_table(TableType="VIRTUAL_VIEW"),
        "tags": update_table(Parameters={"classification": "json"}),
    },
    "Alarm": {
        "Threshold": put_alarm(Threshold=9.0),
        "AlarmActions": put_alarm(AlarmActions=[]),
        "TreatMissingData": put_alarm(TreatMissingData="breaching"),
        "Dimensions": put_alarm(Dimensions=[]),
        "tags": lambda cloudwatch, ours: cloudwatch.untag_resource(ResourceARN=ours.arn, TagKeys=KEYS),
    },
    "Dashboard": {
        "body": lambda cloudwatch, ours: cloudwatch.put_dashboard(
            DashboardName=ours.name, DashboardBody='{"widgets": []}'
        ),
    },
    "Database": {
        "Description": lambda glue, ours: glue.update_database(
            Name=ours.name, DatabaseInput={"Name": ours.name, "Description": "Theirs"}
        ),
        "tags": untag_glue,
    },
    "CsvClassifier": {
        "Delimiter": make_classifier_anew(Delimiter="|"),
        "ContainsHeader": make_classifier_anew(ContainsHeader="UNKNOWN"),
        "AllowSingleColumn": make_classifier_anew(AllowSingleColumn=False),
    },
    "Crawler": {
        "Role": update_crawler(Role="arn:aws:iam::000000000000:role/theirs"),
        "DatabaseName": update_crawler(DatabaseName="theirs"),
        "Targets": update_crawler(Targets={"S3Targets": [{"Path": "s3://theirs/"}]}),
        "Classifiers": update_crawler(Classifiers=[]),
        "Schedule": update_crawler(Schedule="cron(0 0 * * ? *)"),
        "SchemaChangePolicy": update_crawler(
            SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
        ),
        "Configuration": update_crawler(Configuration='{"Version": 1.0}'),
        "tags": untag_glue,
    },
    "WorkGroup": {
        "BytesScannedCutoffPerQuery": update_workgroup(BytesScannedCutoffPerQuery=20_000_000),
        "EnforceWorkGroupConfiguration": update_workgroup(EnforceWorkGroupConfiguration=False),
        "OutputLocation": update_workgroup(ResultConfigurationUpdates={"OutputLocation": "s3://theirs/"}),
        "EncryptionOption": update_workgroup(
            ResultConfigurationUpdates={
                "EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": "k"}
            }
        ),
        "tags": lambda athena, ours: athena.untag_resource(ResourceARN=ours.arn, TagKeys=KEYS),
    },
    "Trail": {
        "S3BucketName": update_trail(S3BucketName="theirs"),
        "IsMultiRegionTrail": update_trail(IsMultiRegionTrail=False),
        "LogFileValidationEnabled": update_trail(EnableLogFileValidation=False),
        "FieldSelectors": select_events(
            EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True}]
        ),
        "IsLogging": lambda cloudtrail, ours: cloudtrail.stop_logging(Name=ours.name),
        "tags": lambda cloudtrail, ours: cloudtrail.remove_tags(
            ResourceId=ours.arn, TagsList=[{"Key": key} for key in KEYS]
        ),
    },
}

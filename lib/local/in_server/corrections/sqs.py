"""SQS: what MiniStack does otherwise."""

from lib.local.in_server.correction import ABSENT, NOT_FOUND, Correction

MOVE_TASKS = Correction(
    name="sqs-message-move-tasks",
    title="StartMessageMoveTask and ListMessageMoveTasks are missing",
    replaces={
        "ministack.services.sqs:_HANDLERS[StartMessageMoveTask]": ABSENT,
        "ministack.services.sqs:_HANDLERS[ListMessageMoveTasks]": ABSENT,
        "ministack.core.iam_actions:extract_resource_arn": "ed1944a5400d",
    },
    ministack="InvalidAction for both; so a dead-letter queue cannot be redriven as on AWS.",
    aws="A task moves the messages of a dead-letter queue to a queue or to where each came from; who may is"
    " asked of the queue that they are in.",
    sources=(
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html",
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html",
    ),
    upstream=NOT_FOUND,
    change="Implement the two calls, and CancelMessageMoveTask.",
    reproduce="""
import json

sqs = client("sqs")
names = ("move-dead", "move-work", "move-there")
urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in names}
arns = {
    name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for name, url in urls.items()
}
redrive = json.dumps({"deadLetterTargetArn": arns["move-dead"], "maxReceiveCount": 1})
sqs.set_queue_attributes(QueueUrl=urls["move-work"], Attributes={"RedrivePolicy": redrive})
sqs.send_message(QueueUrl=urls["move-dead"], MessageBody="hello")
sqs.start_message_move_task(SourceArn=arns["move-dead"], DestinationArn=arns["move-there"])
messages = sqs.receive_message(QueueUrl=urls["move-there"], WaitTimeSeconds=5).get("Messages", [])
assert [each["Body"] for each in messages] == ["hello"], messages
assert sqs.list_message_move_tasks(SourceArn=arns["move-dead"])["Results"]
""",
)
MESSAGES_IN_HAND = Correction(
    name="sqs-messages-in-hand-when-it-ends",
    title="Messages that were being worked on when the server ended stay invisible after a restart",
    replaces={"ministack.app:_load_persisted_state": "bb9ec2b2f3ef"},
    ministack="With PERSIST_STATE=1 a message that a function had in hand when the server ended is invisible "
    "until its visibility timeout is over, though nobody works on it any more.",
    aws="Queues and functions do not end. A restart should be as if the message had not been received.",
    sources=(
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html",
    ),
    upstream=NOT_FOUND,
    change="Make messages visible when the state is loaded.",
    steps=(
        "Start MiniStack with PERSIST_STATE=1; send a message to a queue whose VisibilityTimeout is 600.",
        "Receive it, stop MiniStack, and start it again.",
        "Receive: there is none for ten minutes.",
    ),
    tests=("tests/local/test_killed.py::test_messages_items_functions_and_users_are_saved_within_seconds",),
)
ADDRESSES = Correction(
    name="sqs-addresses",
    title="Persisted queues keep the port of the server that made them: mappings never poll them again",
    replaces={"ministack.app:_load_persisted_state": "bb9ec2b2f3ef"},
    ministack="With PERSIST_STATE=1, queues are stored by their URLs, with GATEWAY_PORT in them. Under "
    "another port, a mapping is said to be enabled and never looks into its queue, and the "
    "environments of functions lead to nowhere.",
    aws="The address of a queue never changes.",
    sources=(
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
        "sqs-queue-message-identifiers.html",
    ),
    upstream=NOT_FOUND,
    change="Key queues by account, region and name, and make the URL when it is told.",
    steps=(
        "Start MiniStack with PERSIST_STATE=1 and GATEWAY_PORT=4566; map a queue to a function.",
        "Stop it, and start it with GATEWAY_PORT=4567.",
        "Send a message: the mapping is Enabled, and the function is never invoked.",
    ),
    tests=(
        "tests/local/in_server/test_addresses.py::test_nothing_that_is_told_or_stored_has_the_old_address",
    ),
)
LONG_QUEUES = Correction(
    name="sqs-long-queues",
    title="Whenever messages are received or deleted, all of the queue's are looked at, several times",
    replaces={
        "ministack.services.sqs:_expire_retained": "f35fdf500d9a",
        "ministack.services.sqs:_dlq_sweep": "3045deaef85a",
        "ministack.services.sqs:_collect_msgs": "e51917c669f0",
        "ministack.services.sqs:_delete_messages_for_esm": "1d9249273502",
    },
    ministack="Each receive goes through all messages for those that have expired, for those that are due "
    "for the dead letters, to complete them, and for those that are visible, and each delete through all "
    "again.",
    aws="A standard queue has any number of messages, and a nearly unlimited number of calls a second.",
    sources=(
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html",
    ),
    upstream=NOT_FOUND,
    change="Stop at the last message that is given out, and go through a long queue once a second for those "
    "that have expired or are due for the dead letters.",
    steps=(
        "Send 20,000 messages to a queue that is mapped to a function, with the mapping turned off.",
        "Turn it on, and look at how many messages leave the queue each second: fewer than at the end.",
    ),
    tests=("tests/local/in_server/test_sqs.py::test_of_a_long_queue_only_the_first_messages_are_looked_at",),
)

"""Lambda, and what invokes functions: what MiniStack does otherwise."""

from lib.local.in_server.correction import NOT_FOUND, Correction

LAMBDA = "ministack.services.lambda_svc:"
DELIVERIES = "tests/local/in_server/test_deliveries.py::"

# A function that fails, and how often it was tried.
FAILING = """
import io
import json
import time
import zipfile

code = "def handle(event, context):\\n    print('TRIED')\\n    raise ValueError('never')\\n"
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as bundle:
    bundle.writestr("handler.py", code)
role = client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
function = client("lambda").create_function(
    FunctionName=NAME, Role=role, Runtime="python3.12", Handler="handler.handle", Timeout=60,
    Code={"ZipFile": archive.getvalue()},
)["FunctionArn"]


def tries(wanted):
    # An answer, once there are so many, or after a while.
    for _ in range(150):
        try:
            found = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{NAME}")["events"]
        except Exception:
            found = []
        count = sum("TRIED" in each["message"] for each in found)
        if count >= wanted:
            return count
        time.sleep(0.2)
    return count
"""

ENVIRONMENTS = Correction(
    name="lambda-environments-on-their-own",
    title="An execution environment that ends while it starts takes the function's others with it",
    replaces={"ministack.core.lambda_runtime:Worker.invoke": "a6a851a473be"},
    ministack="When one process of a function ends while it starts, all those of the function are killed, "
    "whether they start or work; those end while they start, and so on.",
    aws="Each execution environment is isolated: one that fails fails its own invocation.",
    sources=("https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html",),
    upstream=NOT_FOUND,
    change="Kill only the worker that did not start, and answer this invocation with an error.",
    steps=(
        "Create a function whose module waits for a file before its handler is defined.",
        "Invoke it twice at once, and kill the first of the two processes while it starts.",
        "Create the file: the second invocation fails, too.",
    ),
    tests=(
        "tests/local/in_server/test_lambda.py::"
        "test_an_environment_that_dies_while_it_starts_takes_no_other_with_it",
    ),
)
LOG_STREAMS = Correction(
    name="lambda-log-streams",
    title="Each invocation has a log stream of its own, and not each execution environment",
    replaces={
        "ministack.core.lambda_runtime:Worker.invoke": "a6a851a473be",
        f"{LAMBDA}_emit_lambda_logs": "744516da3da5",
        f"{LAMBDA}new_uuid": "908d2824ad02",
    },
    ministack="Every invocation writes into a new log stream. A function that a schedule invokes each minute "
    "has 20,000 of them in two weeks; each is saved anew each time, and a search goes through all.",
    aws="An execution environment has one log stream, into which all its invocations write.",
    sources=("https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html",),
    upstream=NOT_FOUND,
    change="Name the stream by the worker that has run the invocation.",
    steps=(
        "Create a function, and invoke it three times, one after another.",
        "DescribeLogStreams of its log group finds three.",
    ),
    tests=(
        "tests/local/in_server/test_lambda.py::test_the_invocations_of_an_environment_write_into_one_log_stream",
    ),
)
WHOLE_LOGS = Correction(
    name="lambda-whole-logs",
    title="The end of an invocation's log is lost if the server is busy",
    replaces={
        "ministack.core.lambda_runtime:Worker._read_stderr": "8a12fdad67ba",
        "ministack.core.lambda_runtime:Worker._drain_stderr": "95a2d69fd4dd",
        "ministack.core.lambda_runtime:Worker._drain_stderr_bounded": "cd2752c0d9f7",
    },
    goes_by={"ministack.core.lambda_runtime:Worker._spawn": "b2c42ad0031d"},
    ministack="A thread reads what a function prints. Once the function has answered, the log is what that "
    "thread has read until 5 ms pass without a line, or 250 ms at most; a busy server's thread gets no "
    "processor for so long. What comes later is told of the next invocation, or of none; metrics in it, too.",
    aws="Each line that a function prints before it answers is in its log, and its metrics are counted.",
    sources=(
        "https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html",
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html",
    ),
    upstream="not reported by us; not looked up",
    change="Wait until nothing is left in the pipe and in the hands of who reads it: all of it was written "
    "before the answer.",
    reproduce="""
import base64
import io
import zipfile

NAME = "whole-log"
code = "def handle(event, context):\\n    print('x\\\\n' * 30000 + 'LAST')\\n"
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as bundle:
    bundle.writestr("handler.py", code)
role = client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
client("lambda").create_function(
    FunctionName=NAME, Role=role, Runtime="python3.12", Handler="handler.handle", Timeout=60,
    Code={"ZipFile": archive.getvalue()},
)
answer = client("lambda").invoke(FunctionName=NAME, LogType="Tail")
assert b"LAST" in base64.b64decode(answer["LogResult"]), "the end of the log is lost"
""",
)
CODE_LOCATION = Correction(
    name="lambda-code-location",
    title="Where a function's code can be had is told with the scheme of a server without TLS",
    replaces={"ministack.services.lambda_svc:_presigned_code_url": "c9a9a73c3cf1"},
    ministack="GetFunction tells Code.Location as http://…, though the server speaks TLS: nobody can get it.",
    aws="The location is a presigned URL of S3, by https.",
    sources=("https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCodeLocation.html",),
    upstream=NOT_FOUND,
    change="Tell the scheme that the server speaks.",
    steps=(
        "Start the server with a certificate.",
        "Create a function, and get what Code.Location of GetFunction names: the connection is refused.",
    ),
    tests=("tests/local/in_server/test_lambda.py::test_code_can_be_had_from_where_it_is_told_to_be",),
)
CODE = Correction(
    name="lambda-code-is-unpacked-once",
    title="Each execution environment unpacks the function's code and layers anew",
    replaces={"ministack.core.lambda_runtime:zipfile": "98314faabb19"},
    goes_by={"ministack.core.lambda_runtime:Worker._spawn": "b2c42ad0031d"},
    ministack="Worker._spawn unpacks code and layers into a folder of its own; with that folder goes what "
    "Python has compiled of them: each cold start compiles all anew, which takes longer than the start.",
    aws="Code is a file system that nobody writes to, the same for all environments.",
    sources=("https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html",),
    upstream="not reported by us; not looked up",
    change="Unpack a zip into a folder that is named by its digest, and link to it.",
    steps=(
        "Create a function in Python that returns where its module's file really lies.",
        "Invoke it; let it fail, so that its environment ends; invoke it again.",
        "The two folders differ, and __pycache__ of the first is gone.",
    ),
    tests=("tests/local/in_server/test_lambda.py::test_code_is_unpacked_once_and_new_code_anew",),
)
START = Correction(
    name="lambda-environments-are-copies",
    title="Each execution environment imports boto3 and reads its models anew",
    replaces={"ministack.core.lambda_runtime:subprocess": "20da1ca6268b"},
    goes_by={"ministack.core.lambda_runtime:Worker._spawn": "b2c42ad0031d"},
    ministack="Worker._spawn starts an interpreter, which imports botocore, whether the handler needs it or "
    "not; with a client or two that is half a second of the processor for each cold start.",
    aws="The runtime, with boto3, is part of the image from which environments begin.",
    sources=(
        "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html",
        "https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-sdk-included",
    ),
    upstream="not reported by us; not looked up",
    change="Fork environments from a process that has imported boto3, unless the function brings another "
    "version of what is imported there.",
    steps=(
        "Create a function in Python that returns whether its environment had boto3 when its module began.",
        "Invoke it: it had not.",
    ),
    tests=("tests/local/in_server/test_lambda.py::test_environments_are_copies_of_a_process_that_has_boto3",),
)
S3_EVENTS = Correction(
    name="lambda-s3-events-on-their-way",
    title="Events of S3 that are on their way when the server ends are lost",
    replaces={"ministack.services.s3:_fire_s3_event_async": "7ff3355f477e"},
    ministack="An event is delivered by a thread of which nothing is written down: one that was not delivered"
    " when the server ends, also by SIGTERM with PERSIST_STATE=1, never is.",
    aws="Events are delivered at least once.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html",),
    upstream=NOT_FOUND,
    change="Write an event down before the call that caused it is answered, and deliver it after a restart.",
    steps=(
        "With PERSIST_STATE=1 and S3_PERSIST=1, let a bucket tell a function that waits for a file.",
        "Put five objects, stop MiniStack while the function waits, create the file, and start MiniStack.",
        "The function is never invoked for what it had not done.",
    ),
    tests=(f"{DELIVERIES}test_an_event_is_written_down_before_the_call_is_answered",),
)
ASYNCHRONOUS = Correction(
    name="lambda-asynchronous-invocations",
    title="Asynchronous invocations are lost when they are throttled or the server ends",
    replaces={f"{LAMBDA}invoke_async_with_retry": "a59c598262f0"},
    ministack="An asynchronous invocation that is throttled is given up as one that failed, and one that is "
    "on its way, or waits for its retry, when the server ends is lost, its destination of failures "
    "with it.",
    aws="Lambda keeps a throttled event for up to six hours; it counts no attempt. Events and retries do "
    "not get lost.",
    sources=("https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html",),
    upstream=NOT_FOUND,
    change="Try throttled events again until MaximumEventAgeInSeconds, without counting, and persist the "
    "queue.",
    steps=(
        "Create a function that takes a while; reserve 1 for it, and set MaximumRetryAttempts to 0.",
        "Invoke it five times with InvocationType=Event.",
        "It has run for one of the five events.",
    ),
    tests=(
        f"{DELIVERIES}test_a_throttled_event_waits",
        f"{DELIVERIES}test_retries_go_on_as_they_were_counted_and_then_to_the_destination",
    ),
)
FROM_EVENTBRIDGE = Correction(
    name="lambda-retries-for-eventbridge",
    title="EventBridge invokes a function once, whatever comes of it",
    replaces={"ministack.services.eventbridge:_dispatch_to_lambda": "c85a227da6d8"},
    ministack="A function that fails is not invoked again, and its destination of failures gets nothing.",
    aws="EventBridge invokes functions asynchronously: Lambda tries a failed event twice more.",
    sources=(
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html",
        "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html",
    ),
    upstream=NOT_FOUND,
    change="Use invoke_async_with_retry, as events of S3 do.",
    reproduce='NAME = "for-eventbridge"\n'
    + FAILING
    + """
events = client("events")
events.put_rule(Name="failing", EventPattern=json.dumps({"source": ["test"]}))
events.put_targets(Rule="failing", Targets=[{"Id": "one", "Arn": function}])
events.put_events(Entries=[{"Source": "test", "DetailType": "a", "Detail": "{}"}])
assert tries(3) == 3, "it was not tried three times"
""",
)
FROM_SNS = Correction(
    name="lambda-retries-for-sns",
    title="SNS invokes a function once, whatever comes of it",
    replaces={"ministack.services.sns:_deliver_to_lambda": "d40f981aa9ca"},
    ministack="A function that fails is not invoked again, and its destination of failures gets nothing.",
    aws="SNS invokes functions asynchronously: Lambda tries a failed event twice more.",
    sources=(
        "https://docs.aws.amazon.com/sns/latest/dg/sns-lambda-as-subscriber.html",
        "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html",
    ),
    upstream=NOT_FOUND,
    change="Use invoke_async_with_retry, as events of S3 do.",
    reproduce='NAME = "for-sns"\n'
    + FAILING
    + """
topic = client("sns").create_topic(Name="failing")["TopicArn"]
client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
client("sns").publish(TopicArn=topic, Message="a")
assert tries(3) == 3, "it was not tried three times"
""",
)
MESSAGES_IN_HAND = Correction(
    name="lambda-messages-in-hand",
    title="A stop counts the messages in a function's hand as received",
    replaces={f"{LAMBDA}_poll_sqs": "7654a66208e9", f"{LAMBDA}_run_sqs_batch": "814f3ed97aa7"},
    ministack="Messages that a function works on when the server is stopped have been received once more at "
    "the next start; with maxReceiveCount 1 a restart sends them to the dead-letter queue.",
    aws="Queues and functions do not end. A restart should be as if the message had not been received.",
    sources=("https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html",),
    upstream=NOT_FOUND,
    change="Begin no batch while stopping, and give back what is in hand before the state is saved.",
    steps=(
        "With PERSIST_STATE=1, map a queue with maxReceiveCount 1 to a function that takes a while.",
        "Send a message, and stop MiniStack while the function works on it. Start it again.",
        "The message goes to the dead-letter queue.",
    ),
    tests=(f"{DELIVERIES}test_messages_in_a_handlers_hand_have_not_been_received",),
)

"""What MiniStack keeps on disk: what is lost when its server ends."""

from lib.local.in_server.correction import NOT_FOUND, Correction

KNOWN = (
    "known: https://github.com/ministackorg/ministack/issues/66 (open) asks for persistence, and "
    "https://github.com/ministackorg/ministack/pull/1032 (closed) tells that a SIGKILL drops all; looked up "
    "on 2026-11-30 in a stored copy"
)
KILLED = "tests/local/test_killed.py::"

WHILE_IT_RUNS = Correction(
    name="saved-while-it-runs",
    title="With PERSIST_STATE=1 all but objects is lost when the server is killed",
    replaces={
        "ministack.app:app": "62a47cb3709e",
        "ministack.app:_load_persisted_state": "bb9ec2b2f3ef",
        "ministack.services.s3:handle_request": "99db645fa48a",
        "ministack.core.persistence:save_state": "6e1d42f7970a",
    },
    ministack="State is written when the server is stopped, once, whatever of it failed. One that is killed "
    "has forgotten buckets, queues, tables, roles and functions. A stop forgets uploads in parts, "
    "waits for every request that waits for a function, and what had only begun is told of as "
    "running for ever. And a save writes what has not changed, too, by json.dump, which goes piece by piece "
    "and takes four times as long as json.dumps.",
    aws="What was answered is kept.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel",),
    upstream=KNOWN,
    change="Save buckets before the call is answered and all else every few seconds, if it has "
    "changed; save uploads; end queries, crawls and functions that had begun when the state is loaded.",
    steps=(
        "With PERSIST_STATE=1 and S3_PERSIST=1, create a bucket in us-west-1, a queue and a table.",
        "kill -9 it, and start it again.",
        "The bucket has lost its region and its settings; queue and table are gone.",
    ),
    tests=(
        f"{KILLED}test_buckets_keep_region_and_settings_from_the_moment_they_are_made",
        "tests/local/in_server/test_deliveries.py::test_a_multipart_upload_goes_on",
    ),
)
PIECES = Correction(
    name="saved-in-pieces",
    title="A save copies and writes all items, messages, log events and points of metrics, changed or not",
    replaces={
        "ministack.services.dynamodb:_set_item": "c2cdbdf0315f",
        "ministack.services.dynamodb:_remove_item": "420727ba58ff",
        "ministack.services.dynamodb:_items_replaced": "9ceca301bfc4",
        "ministack.services.dynamodb:get_state": "7bcacd9a8ed4",
        "ministack.services.sqs:get_state": "646e0f68874c",
        "ministack.services.cloudwatch_logs:get_state": "2541e62ba269",
        "ministack.services.cloudwatch:get_state": "4ca130c595dd",
        "ministack.services.cloudwatch:_evict_old_metrics": "7ec79f1b6227",
    },
    ministack="get_state copies whatever a service has, and save_state writes it as one JSON: with 80,000 "
    "items no request is answered for seconds, for each save; a function that a schedule invokes each minute "
    "makes 80,000 points of metrics in two weeks.",
    aws="The rate of a table does not depend on what is in it.",
    sources=(
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html",
    ),
    upstream=NOT_FOUND,
    change="Keep items, messages, events and points in a file of SQLite, and write what has changed.",
    steps=(
        "With PERSIST_STATE=1, create a table and put 80,000 items into it.",
        "Save, as at a stop; the time is that of a copy and of a JSON of all items.",
        "Put one more, and save: it takes as long.",
    ),
    tests=(
        f"{KILLED}test_what_has_not_changed_of_a_table_is_not_written_again",
        f"{KILLED}test_what_was_deleted_and_not_saved_yet_comes_back_whole",
    ),
)
QUERY_VALUES = Correction(
    name="athena-state-is-saved",
    title="No state of Athena is saved once a query has found a time or a decimal",
    replaces={"ministack.core.persistence:_json_default": "8f143eae13cf"},
    ministack="_json_default raises TypeError for datetime and Decimal, save_state logs it, and athena.json "
    "stays as it was: workgroups too are lost at the next start.",
    aws="What was answered is kept.",
    sources=("https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html",),
    upstream="known of bytes (issue 422 of MiniStack, which its source names, is mended); of times and "
    "decimals none found on 2026-11-30 in a stored copy of its issues",
    change="Write what JSON cannot hold as text: that is all that Athena answers of it.",
    steps=(
        "Start MiniStack with PERSIST_STATE=1; create a workgroup.",
        "Run SELECT TIMESTAMP '2026-01-31 01:02:03', stop MiniStack, and start it again.",
        "The workgroup is not there; the log says: failed to save athena.",
    ),
    tests=(f"{KILLED}test_the_state_of_athena_is_saved_whatever_its_queries_have_found",),
)
TORN_OBJECTS = Correction(
    name="s3-torn-objects",
    title="An object whose PUT is interrupted by a kill has new bytes under the old ETag",
    replaces={},
    ministack="An object is written into two files: its bytes, then what describes them. After a kill between"
    " the two, the next server shows the new bytes under the old ETag, or without their metadata. "
    "Nothing is replaced: what is torn is taken back before MiniStack reads its folder.",
    aws="A PUT that was not answered has happened or not, as a whole.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel",),
    upstream="not reported by us; not looked up",
    change="Write both under other names, and move them into place, what describes the bytes last.",
    steps=(
        "Start MiniStack with S3_PERSIST=1; put an object, and put other bytes under its key.",
        "kill -9 it after it has written the bytes, before it writes the .meta.json; start it again.",
        "GetObject returns the new bytes with the ETag of the old ones.",
    ),
    tests=(f"{KILLED}test_an_object_that_was_half_written_is_as_it_was_before",),
)

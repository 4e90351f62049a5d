"""IAM, as MiniStack enforces it with AUTH=true: what it does otherwise."""

from lib.local.in_server.correction import NOT_FOUND, Correction

ACTIONS, EVALUATOR = "ministack.core.iam_actions:", "ministack.core.iam_evaluator:"

# A user with one policy; who has no key of his own has all rights.
AS_USER = """
import json


def policy(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def key_of_user(name, **allowed):
    iam = client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=policy(Effect="Allow", **allowed))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]
"""

BATCHES = Correction(
    name="iam-batches",
    title="SQS: SendMessageBatch asks for a permission sqs:SendMessageBatch, which does not exist",
    replaces={f"{ACTIONS}extract_iam_action": "016f42aa8516"},
    ministack="The permission is named after the call, so that whoever may send a message is denied a batch.",
    aws="The calls with batches need the permission of the single call: sqs:SendMessage, sqs:DeleteMessage, "
    "sqs:ChangeMessageVisibility.",
    sources=(
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html",
    ),
    upstream=NOT_FOUND,
    change="Map the three calls with batches to the single ones.",
    reproduce=AS_USER
    + """
url = client("sqs").create_queue(QueueName="batches")["QueueUrl"]
mine = client("sqs", key=key_of_user("sender", Action="sqs:SendMessage", Resource="*"))
mine.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "hello"}])
""",
)
PRINCIPAL_ARN = Correction(
    name="iam-principal-arn",
    title="aws:PrincipalArn of an assumed role is the session's ARN instead of the role's",
    replaces={f"{EVALUATOR}_resolve_condition_key": "805e8af9f186"},
    ministack="In conditions, aws:PrincipalArn is arn:aws:sts::…:assumed-role/NAME/SESSION.",
    aws="For a session of a role it is the role's ARN, with its path.",
    sources=(
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"
        "#condition-keys-principalarn",
    ),
    upstream=NOT_FOUND,
    change="Resolve the key to the ARN of the role that the session is of.",
    reproduce=AS_USER
    + """
iam, s3 = client("iam"), client("s3")
trust = policy(Effect="Allow", Principal={"AWS": "*"}, Action="sts:AssumeRole")
arn = iam.create_role(RoleName="known", Path="/some/", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
named = {"Condition": {"ArnEquals": {"aws:PrincipalArn": arn}}}
allowed = policy(Effect="Allow", Action="s3:PutObject", Resource="*", **named)
iam.put_role_policy(RoleName="known", PolicyName="put", PolicyDocument=allowed)
key = client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
s3.create_bucket(Bucket="principals")
mine = client("s3", key=(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"]))
mine.put_object(Bucket="principals", Key="a", Body=b"1")
""",
    tests=(
        "tests/local/in_server/test_iam.py::test_a_session_is_known_in_conditions_by_the_arn_of_its_role",
    ),
)
WILDCARDS = Correction(
    name="iam-wildcards",
    title="The wildcard * of a policy does not match a line feed",
    replaces={f"{EVALUATOR}_fnmatch_compile": "83529dd8c266"},
    ministack="Patterns are compiled without DOTALL, and $ matches before a last line feed: a key with a line"
    " feed is matched by no wildcard, and `a` also matches `a` with a line feed after it.",
    aws="* is any combination of characters, ? any one.",
    sources=("https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html",),
    upstream=NOT_FOUND,
    change=r"Compile with re.DOTALL, and end the pattern with \Z.",
    reproduce=AS_USER
    + r"""
client("s3").create_bucket(Bucket="wildcards")
mine = client("s3", key=key_of_user("wild", Action="s3:PutObject", Resource="arn:aws:s3:::wildcards/*"))
mine.put_object(Bucket="wildcards", Key="two\nlines", Body=b"1")
""",
    tests=(
        "tests/local/in_server/test_iam.py::test_a_wildcard_is_any_characters",
        "tests/local/in_server/test_iam.py::test_a_key_without_a_wildcard_is_that_key_only",
    ),
)
POLICIES = Correction(
    name="iam-policies-are-read-once",
    title="Each request reads all policies of its caller anew, twice",
    replaces={f"{EVALUATOR}parse_policy_document": "9d72ae04478f"},
    ministack="A request reads the JSON of each policy of its user or role to learn who asks, and again to "
    "learn whether that is allowed: with nine policies a third of what a call takes.",
    aws="Calls do not take longer for a user that has more policies.",
    sources=("https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",),
    upstream=NOT_FOUND,
    change="Keep the statements of a document by its text.",
    steps=(
        "Call ministack.core.iam_evaluator.parse_policy_document twice with the same text.",
        "It returns two lists.",
    ),
    tests=("tests/local/in_server/test_iam.py::test_a_policy_is_read_once_and_another_one_anew",),
)
SLASHES = Correction(
    name="iam-slashes-of-keys",
    title="Rights on objects are asked of keys without their slashes",
    replaces={
        f"{ACTIONS}extract_resource_arn": "ed1944a5400d",
        f"{ACTIONS}s3_additional_checks": "54b96959f0ec",
        f"{ACTIONS}_s3_action": "7c7a7fb0cbe9",
    },
    ministack="Of a key that begins or ends with a slash, or has two together, these are left out before IAM "
    "is asked; a key of slashes alone is taken for the bucket.",
    aws="A slash in a key is a character as others are; the resource is arn:aws:s3:::BUCKET/KEY.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html",
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html",
    ),
    upstream=NOT_FOUND,
    change="Split the path at its first slash only.",
    reproduce=AS_USER
    + """
client("s3").create_bucket(Bucket="slashes")
mine = client("s3", key=key_of_user("slash", Action="s3:PutObject", Resource="arn:aws:s3:::slashes/a/b"))
try:
    mine.put_object(Bucket="slashes", Key="a//b", Body=b"1")
except mine.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "AccessDenied", error
else:
    raise AssertionError("whoever may put a/b may put a//b")
all_keys = client("s3", key=key_of_user("all", Action="s3:PutObject", Resource="arn:aws:s3:::slashes/*"))
all_keys.put_object(Bucket="slashes", Key="//", Body=b"1")
""",
    tests=("tests/local/in_server/test_iam.py::test_a_wildcard_is_any_characters",),
)
RESOURCE_ACCOUNT = Correction(
    name="iam-resource-account",
    title="aws:ResourceAccount of a bucket is the caller's account, whoever owns the bucket",
    replaces={f"{EVALUATOR}_resolve_condition_key": "805e8af9f186"},
    ministack="The ARN of a bucket or an object has no account, so the caller's is taken for its owner's.",
    aws="s3:ResourceAccount and aws:ResourceAccount are the account that owns the bucket.",
    sources=(
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"
        "#condition-keys-resourceaccount",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html",
    ),
    upstream=NOT_FOUND,
    change="Resolve the keys by the bucket's owner, which services/s3.py knows (_bucket_owner_account).",
    reproduce=AS_USER
    + """
client("s3").create_bucket(Bucket="of-this-account")
theirs = client("s3", key=("222222222222", "any"))
theirs.create_bucket(Bucket="of-another-account")
anybody = policy(Effect="Allow", Principal={"AWS": "arn:aws:iam::000000000000:root"}, Action="s3:PutObject",
                 Resource="arn:aws:s3:::of-another-account/*")
theirs.put_bucket_policy(Bucket="of-another-account", Policy=anybody)
named = {"Condition": {"StringEquals": {"s3:ResourceAccount": "222222222222"}}}
mine = client("s3", key=key_of_user("guest", Action="s3:PutObject", Resource="*", **named))
mine.put_object(Bucket="of-another-account", Key="a", Body=b"1")
try:
    mine.put_object(Bucket="of-this-account", Key="a", Body=b"1")
except mine.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "AccessDenied", error
else:
    raise AssertionError("it was put into a bucket of another account than the policy says")
""",
)
BUCKET_POLICIES = Correction(
    name="iam-bucket-policies-bind-root",
    title="A bucket's policy denies nothing to root, nor to requests without a signature",
    replaces={f"{EVALUATOR}enforce": "e234934f3918"},
    ministack="Root, and whoever signs nothing, may do all in a bucket whatever its policy denies.",
    aws="A Deny of the bucket's policy binds everybody, root and anonymous callers too. Root of the bucket's "
    "account may always read, write and delete the policy itself.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html",
    ),
    upstream=NOT_FOUND,
    change="Evaluate the bucket's policy before root and anonymous callers are let through, but for the "
    "three calls about the policy itself.",
    reproduce="""
import json

s3 = client("s3")
s3.create_bucket(Bucket="denied-to-all")
everything = {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::denied-to-all/*"}
statement = {"Effect": "Deny", "Principal": "*", **everything}
policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
s3.put_bucket_policy(Bucket="denied-to-all", Policy=policy)
try:
    s3.put_object(Bucket="denied-to-all", Key="a", Body=b"1")
except s3.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "AccessDenied", error
else:
    raise AssertionError("it was written")
s3.delete_bucket_policy(Bucket="denied-to-all")
s3.put_object(Bucket="denied-to-all", Key="a", Body=b"1")
""",
    tests=("tests/local/in_server/test_iam.py::test_what_a_bucket_s_policy_denies_is_denied_to_everybody",),
)
SIMULATION = Correction(
    name="iam-simulation",
    title="SimulatePrincipalPolicy ignores ContextEntries, boundaries, and all of ResourceArns but the first",
    replaces={
        "ministack.services.iam:_IAM_HANDLERS[SimulatePrincipalPolicy]": "726ed4d77f4c",
        f"{EVALUATOR}_resolve_condition_key": "805e8af9f186",
        f"{EVALUATOR}evaluate": "91998ec64c2a",
    },
    ministack="A statement with a condition on a key of the request is evaluated as if the key was not "
    "there, the boundary of the user or role is not looked at, and only the first resource is told of.",
    aws="The keys and values of ContextEntries are those of the simulated request; the permissions boundary "
    "that is attached is in effect; there is a result for each action and each resource.",
    sources=("https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html",),
    upstream=NOT_FOUND,
    change="Hand the context entries and the boundary to the evaluation, and go through the resources.",
    reproduce=AS_USER
    + """
most = "arn:aws:iam::000000000000:policy/most"
limited = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": most}}}
key_of_user("simulated", Action="iam:CreateRole", Resource="*", **limited)
arns = [f"arn:aws:iam::000000000000:role/{name}" for name in ("one", "other")]
asked = {
    "PolicySourceArn": "arn:aws:iam::000000000000:user/simulated",
    "ActionNames": ["iam:CreateRole"],
    "ResourceArns": arns,
}
entry = {"ContextKeyName": "iam:PermissionsBoundary", "ContextKeyType": "string"}
entry["ContextKeyValues"] = [most]
simulate = client("iam").simulate_principal_policy
found = simulate(**asked, ContextEntries=[entry])["EvaluationResults"]
assert [(one["EvalResourceName"], one["EvalDecision"]) for one in found] == [(arn, "allowed") for arn in arns]
assert {one["EvalDecision"] for one in simulate(**asked)["EvaluationResults"]} == {"implicitDeny"}
iam, nothing = client("iam"), policy(Effect="Allow", Action="s3:*", Resource="*")
bound = iam.create_policy(PolicyName="bound", PolicyDocument=nothing)["Policy"]["Arn"]
iam.put_user_permissions_boundary(UserName="simulated", PermissionsBoundary=bound)
found = simulate(**asked, ContextEntries=[entry])["EvaluationResults"]
assert {one["EvalDecision"] for one in found} == {"implicitDeny"}
""",
)
BOUNDARY_KEY = Correction(
    name="iam-boundary-key",
    title="Conditions know no iam:PermissionsBoundary",
    replaces={
        f"{ACTIONS}extract_iam_action": "016f42aa8516",
        f"{EVALUATOR}_resolve_condition_key": "805e8af9f186",
    },
    ministack="The key is never there, so that who may make roles with a certain boundary alone makes none, "
    "and a Deny for other boundaries denies all.",
    aws="For CreateRole and PutRolePermissionsBoundary it is the boundary that the request names, for the "
    "other calls that change a role the one that the role has.",
    sources=(
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html",
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html",
    ),
    upstream=NOT_FOUND,
    change="Resolve the key from the request's PermissionsBoundary, or from the role.",
    reproduce=AS_USER
    + """
most = policy(Effect="Allow", Action="s3:*", Resource="*")
boundary = client("iam").create_policy(PolicyName="most", PolicyDocument=most)["Policy"]["Arn"]
limited = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}}}
allowed = ["iam:CreateRole", "iam:PutRolePolicy"]
mine = client("iam", key=key_of_user("bounded", Action=allowed, Resource="*", **limited))
trust = policy(Effect="Allow", Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole")
mine.create_role(RoleName="within", AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary)
mine.put_role_policy(RoleName="within", PolicyName="all", PolicyDocument=most)
try:
    mine.create_role(RoleName="without", AssumeRolePolicyDocument=trust)
except mine.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "AccessDenied", error
else:
    raise AssertionError("a role without the boundary was made")
""",
    tests=(
        "tests/engine/preflight/test_own_rights.py::test_who_is_bound_makes_roles_with_the_boundary_alone",
    ),
)

"""A data lake for the tests of Glue and Athena: the deployer's bucket, database, crawlers and workgroup."""

import json
import uuid
from pathlib import Path

import boto3
from pyathena import connect
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from lib.local import deployer, stand_ins

SAMPLES = Path(__file__).parents[2] / "notebooks" / "samples"
REGION = "us-east-1"
PREFIX, ENV = "runbook", "test"
CSV = {"Delimiter": ",", "QuoteSymbol": '"', "ContainsHeader": "PRESENT"}


# What these tests need: more is asked of lib/policies/deployer-policy.json than of them.
OWNER = [
    "s3:*",
    "athena:*",
    "iam:*Role*",
    "glue:*Classifier*",
    "glue:*Crawler*",
    "glue:*Database*",
    "glue:Get*",
]


class Lake:
    """A bucket that is crawled into a database and queried through a workgroup, by a user of its own."""

    def __init__(self, server):
        self.server = server
        self.user = f"{PREFIX}-{ENV}-{uuid.uuid4().hex[:8]}"
        self.root("iam").create_user(UserName=self.user)
        self.allow(*OWNER)
        key = self.root("iam").create_access_key(UserName=self.user)["AccessKey"]
        self.session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"])
        self.said = []
        stand_ins.install(self.session, self.said.append)
        self.name = f"{PREFIX}-{ENV}-lake-{uuid.uuid4().hex[:8]}"
        self.database = self.name.replace("-", "_")
        self.s3, self.glue, self.iam = self.client("s3"), self.client("glue"), self.client("iam")
        self.athena = self.client("athena")
        self.s3.create_bucket(Bucket=self.name)
        self.s3.create_bucket(Bucket=f"{self.name}-results")
        self.glue.create_database(DatabaseInput={"Name": self.database})
        configuration = {"ResultConfiguration": {"OutputLocation": f"s3://{self.name}-results/"}}
        self.athena.create_work_group(Name=self.name, Configuration=configuration)

    def allow(self, *actions):
        """Let the lake's user do more."""
        self._say("Allow", actions, "*")

    def deny(self, *actions, resource="*"):
        """Let the lake's user do less."""
        self._say("Deny", actions, resource)

    def _say(self, effect, actions, resource):
        statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
        self.root("iam").put_user_policy(
            UserName=self.user, PolicyName=uuid.uuid4().hex, PolicyDocument=_policy(statement)
        )

    def _client(self, session, service, region):
        target = {"endpoint_url": self.server.endpoint_url, "verify": str(self.server.ca_bundle)}
        return session.client(service, region, **target)

    def client(self, service):
        return self._client(self.session, service, REGION)

    def root(self, service):
        """For what the deployer may not do, and a test must see or make."""
        return deployer.client(self.server, service, deployer.ROOT_KEY, deployer.ROOT_KEY)

    def role(self, actions=("s3:*", "glue:*"), service="glue.amazonaws.com"):
        name = f"{PREFIX}-{ENV}-{uuid.uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        allow = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
        self.iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=_policy(allow))
        return arn

    def put(self, key, content):
        body = content.encode() if isinstance(content, str) else content
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def crawler(self, classifier=None, path="", exclusions=(), role=None, **options):
        """Make a crawler of the bucket; returns its name."""
        name = f"{PREFIX}-{ENV}-{uuid.uuid4().hex[:8]}"
        if classifier is not None:
            self.glue.create_classifier(CsvClassifier={"Name": name, **classifier})
        target = {"Path": f"s3://{self.name}/{path}", "Exclusions": list(exclusions)}
        self.glue.create_crawler(
            Name=name,
            Role=role or self.role(),
            DatabaseName=self.database,
            Classifiers=[name] if classifier is not None else [],
            Targets={"S3Targets": [target]},
            **options,
        )
        return name

    def crawl(self, name):
        """Start the crawler; returns how the crawl ended."""
        self.glue.start_crawler(Name=name)
        return self.wait(name)

    def wait(self, name):
        """Wait for a crawl; returns how it ended."""
        crawler = _until(
            lambda: self.glue.get_crawler(Name=name)["Crawler"], lambda crawler: crawler["State"] == "READY"
        )
        return crawler["LastCrawl"]

    def wait_for_query(self, query):
        """Wait for a query; returns how it ended."""
        return _until(
            lambda: self.athena.get_query_execution(QueryExecutionId=query)["QueryExecution"],
            lambda execution: execution["Status"]["State"] not in ("QUEUED", "RUNNING"),
        )

    def tables(self):
        return {
            table["Name"]: table for table in self.glue.get_tables(DatabaseName=self.database)["TableList"]
        }

    def columns(self, table):
        columns = self.tables()[table]["StorageDescriptor"]["Columns"]
        return {column["Name"]: column["Type"] for column in columns}

    def cursor(self):
        """PyAthena's, with the very call that works on AWS (there endpoint_url and verify are None)."""
        return connect(
            session=self.session,
            region_name=REGION,
            work_group=self.name,
            schema_name=self.database,
            poll_interval=0.02,
            endpoint_url=self.server.endpoint_url,
            verify=str(self.server.ca_bundle),
        ).cursor()

    def rows(self, sql, parameters=None):
        return self.cursor().execute(sql, parameters).fetchall()


def samples_lake(server):
    """A lake of the sample files, crawled: one folder and one table each."""
    lake = Lake(server)
    for path in SAMPLES.glob("*.csv"):
        lake.put(f"{path.stem}/{path.name}", path.read_bytes())
    last = lake.crawl(lake.crawler(CSV))
    assert last["Status"] == "SUCCEEDED", last
    return lake


def _policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _until(look, is_done):
    """Look again and again until it is so."""
    retrying = Retrying(
        retry=retry_if_result(lambda seen: not is_done(seen)),
        stop=stop_after_delay(600),
        wait=wait_fixed(0.05),
    )
    return retrying(look)

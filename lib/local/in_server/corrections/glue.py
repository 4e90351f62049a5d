"""Glue: what MiniStack does otherwise."""

from lib.local.in_server.correction import NOT_FOUND, Correction

GLUE = "ministack.services.glue:"

CRAWLER = """
glue = client("glue")
glue.create_database(DatabaseInput={"Name": "crawled"})
trust = ('{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
         '"Principal": {"Service": "glue.amazonaws.com"}}]}')
allowed = ('{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*", "glue:*"], '
           '"Resource": "*"}]}')
role = client("iam").create_role(RoleName="crawler", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
client("iam").put_role_policy(RoleName="crawler", PolicyName="all", PolicyDocument=allowed)
targets = {"S3Targets": [{"Path": "s3://crawled/fruit/"}]}
glue.create_crawler(Name="c", Role=role, DatabaseName="crawled", Targets=targets, Tags={"a": "1"})
"""

CRAWLER_TAGS = Correction(
    name="glue-crawler-tags",
    title="CreateCrawler passes over Tags",
    replaces={f"{GLUE}_create_crawler": "4c55c558a7b4"},
    ministack="A crawler that was created with tags has none.",
    aws="Tags are the crawler's from the beginning.",
    sources=("https://docs.aws.amazon.com/glue/latest/webapi/API_CreateCrawler.html",),
    upstream=NOT_FOUND,
    change="Store Tags under the crawler's ARN, as CreateJob does.",
    reproduce=CRAWLER
    + """
arn = f"arn:aws:glue:us-east-1:{role.split(':')[4]}:crawler/c"
tags = glue.get_tags(ResourceArn=arn)["Tags"]
glue.delete_crawler(Name="c")
glue.delete_database(Name="crawled")
client("iam").delete_role_policy(RoleName="crawler", PolicyName="all")
client("iam").delete_role(RoleName="crawler")
assert tags == {"a": "1"}, tags
""",
)
TABLE_OWNER = Correction(
    name="glue-table-owner",
    title='GetTable tells of a table without an owner the owner ""',
    replaces={f"{GLUE}_create_table": "56dbd1eac110"},
    ministack='Owner is "", which no call takes: what GetTable tells cannot be given to UpdateTable.',
    aws="A name has at least one character; who names no owner is told none, or one.",
    sources=("https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html",),
    upstream=NOT_FOUND,
    change="Leave Owner out if it was not given.",
    reproduce="""
glue = client("glue")
glue.create_database(DatabaseInput={"Name": "owners"})
glue.create_table(DatabaseName="owners", TableInput={"Name": "t"})
owner = glue.get_table(DatabaseName="owners", Name="t")["Table"].get("Owner")
assert owner != "", "the owner has no name"
""",
)
CRAWLS = Correction(
    name="glue-crawls",
    title="A crawler succeeds after 5 s and writes no table",
    replaces={
        f"{GLUE}_start_crawler": "ccd205782bcd",
        f"{GLUE}_stop_crawler": "46964726a6e9",
        f"{GLUE}_get_crawler": "eca153197a57",
    },
    ministack="LastCrawl is SUCCEEDED whatever is to be crawled, whatever the role may do, and the catalogue "
    "stays as it was.",
    aws="A crawl reads its targets with the rights of the crawler's role and writes tables and partitions.",
    sources=(
        "https://docs.aws.amazon.com/glue/latest/dg/add-crawler.html",
        "https://docs.aws.amazon.com/glue/latest/dg/crawler-prereqs.html",
    ),
    upstream=NOT_FOUND,
    change="Crawl S3 targets at least of CSV and JSON; until then end as FAILED, so that nobody relies on "
    "it.",
    reproduce=CRAWLER
    + """
import time

client("s3").create_bucket(Bucket="crawled")
body = "name,grams\\napple,150\\nplum,30\\n"
client("s3").put_object(Bucket="crawled", Key="fruit/a.csv", Body=body.encode())
glue.start_crawler(Name="c")
for _ in range(300):
    if glue.get_crawler(Name="c")["Crawler"]["State"] == "READY":
        break
    time.sleep(0.2)
tables = [table["Name"] for table in glue.get_tables(DatabaseName="crawled")["TableList"]]
assert tables == ["fruit"], tables
""",
)

"""What MiniStack's Glue gets wrong and we correct in its server."""

import uuid

import pytest


@pytest.fixture
def database(somebody):
    glue, name = somebody("glue"), f"d_{uuid.uuid4().hex}"
    glue.create_database(DatabaseInput={"Name": name})
    yield name
    glue.delete_database(Name=name)


def test_a_crawler_is_created_with_its_tags(somebody, database):
    glue, name = somebody("glue"), f"c-{uuid.uuid4().hex}"
    made = somebody("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]
    targets = {"S3Targets": [{"Path": "s3://any/"}]}
    described = {"DatabaseName": database, "Targets": targets, "Tags": {"a": "1"}}
    glue.create_crawler(Name=name, Role=made["Arn"], **described)
    arn = f"arn:aws:glue:us-east-1:{made['Arn'].split(':')[4]}:crawler/{name}"
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"a": "1"}
    glue.delete_crawler(Name=name)


@pytest.mark.parametrize("owner", [{}, {"Owner": "somebody"}])
def test_a_table_has_the_owner_that_it_was_given_or_none(somebody, database, owner):
    glue = somebody("glue")
    glue.create_table(DatabaseName=database, TableInput={"Name": "t", **owner})
    found = glue.get_table(DatabaseName=database, Name="t")["Table"]
    assert found.get("Owner") == owner.get("Owner")

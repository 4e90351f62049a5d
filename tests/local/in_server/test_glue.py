"""What MiniStack's Glue gets wrong and we correct in its server."""

import uuid

import pytest


@pytest.fixture
def database(somebody):
    glue, name = somebody("glue"), f"d_{uuid.uuid4().hex}"
    glue.create_database(DatabaseInput={"Name": name})
    yield name
    glue.delete_database(Name=name)


@pytest.mark.parametrize("owner", [{}, {"Owner": "somebody"}])
def test_a_table_has_the_owner_that_it_was_given_or_none(somebody, database, owner):
    glue = somebody("glue")
    glue.create_table(DatabaseName=database, TableInput={"Name": "t", **owner})
    found = glue.get_table(DatabaseName=database, Name="t")["Table"]
    assert found.get("Owner") == owner.get("Owner")

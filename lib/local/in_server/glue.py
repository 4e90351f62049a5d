"""Corrections of MiniStack's Glue.

MiniStack 1.5.33 passes over the tags of CreateCrawler, and tells of a table without an owner that its owner
is "", which no call takes: on AWS a name has a character at least.
https://docs.aws.amazon.com/glue/latest/webapi/API_CreateCrawler.html (Tags)
https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html (Owner)
"""

from ministack.services import glue

_create_crawler = glue._create_crawler
_create_table = glue._create_table


def create_crawler(asked: dict):
    """Create a crawler, and give it its tags."""
    answer = _create_crawler(asked)
    if answer[0] == 200:
        glue._tags[glue._arn("crawler", asked["Name"])] = dict(asked.get("Tags", {}))
    return answer


def create_table(asked: dict):
    """Create a table, without an owner if none is named."""
    answer = _create_table(asked)
    name = asked.get("TableInput", {}).get("Name")
    table = glue._tables.get(f"{asked.get('DatabaseName')}/{name}")
    if answer[0] == 200 and not table["Owner"]:
        del table["Owner"]
    return answer


glue._create_crawler = create_crawler
glue._create_table = create_table

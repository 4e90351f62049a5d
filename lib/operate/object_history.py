"""What the index knows of one object."""

import pandas as pd

from lib.resources.dynamodb import ItemReader

COLUMNS = ["event_name", "timestamp", "file_size", "content_type"]


def history(client, table: str, key: str) -> pd.DataFrame:
    """Return what has happened to an object, the first first.

    Args:
        client: A DynamoDB client of the table's region.
        table: The index's name.
        key: The object's key.

    Returns:
        One row an event: event_name, timestamp, file_size in bytes, content_type.
    """
    pages = client.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="file_key = :key",
        ExpressionAttributeValues={":key": {"S": key}},
        ConsistentRead=True,
    )
    reader = ItemReader()
    rows = [
        reader.item({name: item[name] for name in COLUMNS if name in item})
        for page in pages
        for item in page["Items"]
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"file_size": "Int64"})

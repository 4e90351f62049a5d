"""The catalogue and SQL: what was crawled, queries into pandas, exports of tables."""
